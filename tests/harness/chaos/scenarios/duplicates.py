"""R14: one message sent a thousand times at once is answered once and counted once; with another body it is a conflict."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.harness.chaos.findings import Finding, exactly, none
from tests.harness.chaos.ground import Ground
from tests.harness.chaos.ledger import Ledger, audit
from tests.harness.chaos.site import ANSWER

_COPIES, _OTHERS = 1000, 100
_TIMEOUT_S = 120.0
# Honest copies wait for their answer here; how the queue refuses is another scenario.
_SETTINGS = {"max_connections": "2000", "max_queue": "2000", "max_wait_ms": "120000"}


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and body; status 0 where there was none."""

    status: int
    body: Any = None


def duplicates(ground: Ground) -> Finding:
    """A thousand copies of one message; then a hundred copies each of two messages under one message_id."""
    texts = ground.fresh.take(2)
    with ground.site(settings=_SETTINGS) as site:
        with site.running():
            same = at_once(site.port, [message(texts[0], "same")] * _COPIES)
            mixed = at_once(site.port, [message(texts[0], "mixed"), message(texts[1], "mixed")] * _OTHERS)
            late = at_once(site.port, [message(texts[1], "same")])
        found = audit(site.store, Ledger())
    won = [reply for reply in mixed if reply.status == 200]
    statuses = Counter(reply.status for reply in mixed)
    checks = [
        exactly("copies answered with 200", sum(reply.status == 200 for reply in same), _COPIES),
        exactly("different replies to them", len({told(reply) for reply in same}), 1),
        exactly("two bodies under one message_id: answered with 200", statuses[200], _OTHERS),
        exactly("… refused with 409", statuses[409], _OTHERS),
        exactly("… different replies", len({told(reply) for reply in won}), 1),
        exactly("another body afterwards", late[0].status, 409),
        exactly("turns stored", found.turns, 2),
        none("turns stored twice", found.duplicates),
    ]
    return Finding("duplicates at once", "R14", checks, {"copies": _COPIES, "copies under one message_id with two bodies": 2 * _OTHERS})


def message(text: str, message_id: str) -> bytes:
    """A whole request."""
    body = json.dumps({"text": text, "conversation_id": f"c-{message_id}", "message_id": message_id}, ensure_ascii=False).encode()
    head = (f"POST {ANSWER} HTTP/1.1", "host: shop", "content-type: application/json", f"content-length: {len(body)}", "connection: close")
    return "\r\n".join((*head, "", "")).encode() + body


def told(reply: Reply) -> str:
    """What a customer would see, and the answer's id."""
    return json.dumps([reply.body["answer_id"], reply.body["reply"]], ensure_ascii=False) if reply.status == 200 else str(reply.status)


def at_once(port: int, requests: Sequence[bytes]) -> list[Reply]:
    """All connect and send all but the last byte; then the last bytes follow each other as fast as they can."""
    links = [socket.create_connection(("127.0.0.1", port), _TIMEOUT_S) for _ in requests]
    for link, request in zip(links, requests, strict=True):
        link.sendall(request[:-1])
    for link, request in zip(links, requests, strict=True):
        link.sendall(request[-1:])
    return [_read(link) for link in links]


def _read(link: socket.socket) -> Reply:
    with link, link.makefile("rb") as file:
        try:
            head, _, body = file.read().partition(b"\r\n\r\n")
            return Reply(int(head.split()[1]), json.loads(body))
        except (OSError, IndexError, ValueError):
            return Reply(0)

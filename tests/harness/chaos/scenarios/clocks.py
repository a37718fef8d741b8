"""The clock of the machine jumps, forwards and backwards, while conversations go on."""

from __future__ import annotations

import re
from pathlib import Path

from tests.harness.chaos.client import Client
from tests.harness.chaos.findings import Finding, SkippedError, at_least, exactly, none
from tests.harness.chaos.ground import Ground
from tests.harness.chaos.ledger import Ledger, audit
from tests.harness.chaos.site import ANSWER, PATIENT, Serving
from tests.harness.chaos.writers import Writers

_JUMPS = ("+1h", "-2h", "+1d", "-1d", "+60d", "-60d", "+0")
"""Offsets from the true time; a jump of more than the retention (365 days) would delete what is then too old, as it should."""
_REPLIES, _PATIENCE_S = 60, 30.0
_WAITS = ("ratelimit", "retry-after")
_NEGATIVE = re.compile(r"(^|[=\s])-\d")


def clock_jumps(ground: Ground) -> Finding:
    """libfaketime (W. Hommel) moves the wall clock of the server; its monotonic clock runs on, as a machine's does."""
    library, ledger, negative, jumps = _library(), Ledger(), 0, 0
    with ground.site(settings={**PATIENT, "rate_limit": "1000000/minute"}) as site:
        offset = site.folder / "offset"
        _jump(offset, "+0")
        site.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        with site.running() as serving:
            with Writers(site.port, ground.fresh.take(300), ledger, count=4, patient=False, headers={"x-deadline-ms": "20000"}):
                for wanted in _JUMPS:
                    _jump(offset, wanted)
                    jumps += ledger.more(_REPLIES, seconds=_PATIENCE_S)
                    negative += _negative_waits(serving)
            alive, ready = serving.alive, serving.ready().status
            told = _as_told(serving)
        found = audit(site.store, ledger)
    checks = [
        exactly("the server answered after each jump", jumps, len(_JUMPS)),
        ledger.answered(),
        none("negative waits in headers", negative),
        none("turns told not to be stored", len(ledger.unsaved)),
        exactly("a conversation reads in the order in which it was sent", told, True),
        exactly("the server lived on, /readyz", (ready if alive else 0), 200),
        at_least("conversations audited", found.turns, len(_JUMPS)),
        *found.checks(ledger),
    ]
    return Finding(
        "clock jumps",
        "clock",
        checks,
        {"jumps": ", ".join(_JUMPS), "replies": ledger.replies, "slowest reply ms": round(ledger.slowest_ms, 1)},
    )


def _library() -> Path:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise SkippedError("no libfaketime here; install Debian's `libfaketime`")
    return found[0]


def _jump(offset: Path, wanted: str) -> None:
    beside = offset.with_suffix(".new")
    beside.write_text(f"{wanted}\n", encoding="ascii")
    beside.replace(offset)


def _negative_waits(serving: Serving) -> int:
    client = Client(serving.port)
    told = client.post(ANSWER, {"text": "什么时候发货", "dry_run": True})
    client.close()
    return sum(bool(_NEGATIVE.search(value)) for name, value in told.headers.items() if name in _WAITS)


def _as_told(serving: Serving) -> bool:
    """The API tells the turns of a conversation in the order of their message ids."""
    client = Client(serving.port)
    told = client.get("/v1/conversations/c-0")
    client.close()
    ids = [turn["message_id"] for turn in told.body["turns"]] if told.status == 200 else []
    return len(ids) > 1 and ids == sorted(ids)

"""Headers and parameters that are read by hand: a caller gets a problem for a bad one, never a failure."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from serving.admission import MOST_MS, ticket_of
from serving.errors import ProblemError, pointer
from serving.identifiers import request_id, trace_id
from serving.knowledge_files import _digest_of
from serving.knowledge_work import _cursor, _tags
from tests.fuzz.source import Source, text_of
from yingda.access.keys import KeyRing, make_key

SEEDS = [
    b"\x00*",
    b'\x00"a", "b" , W/"c"',
    b"\x01MTIz",
    b"\x0230000",
    b"\x0312-34",
    b"\x04sha-256=:" + b"A" * 43 + b"=:",
    b"\x05abc",
    b"\x06/a/1234",
]
WORDS = ['W/"', '"*"', ",", "sha-256=:", "=:", "Bearer ", "00-", "-01"]
MOST_BYTES = 1000
RING = KeyRing([make_key("known", ["answer"]).record])


def check(data: bytes) -> None:
    """Raise what must not be."""
    source = Source(data)
    way, value = source.byte() % 7, source.rest()
    text = value.decode("latin-1")
    try:
        if way == 0:
            assert all(isinstance(tag, str) for tag in _result(_tags(text)))
        elif way == 1:
            _result(_cursor(text_of(value)))
        elif way == 2:
            ticket = ticket_of([(b"x-deadline-ms", value)], clock=lambda: 0.0)
            assert ticket.expires_at is not None and 0 <= ticket.expires_at <= MOST_MS / 1000
        elif way == 3:
            assert len(request_id(text)) <= 64
            assert len(trace_id(text) or "0" * 32) == 32
        elif way == 4:
            assert len(_digest_of(text) or "0" * 64) == 64
        elif way == 5:
            assert RING.look_up(value)[0] is None
        else:
            assert "\n" not in pointer(text_of(value).split("/"))
    except ProblemError as error:
        assert error.status_code in (400, 422)


def _result(reading: Coroutine[Any, Any, Any]) -> Any:
    """What a reader returns that waits for nothing."""
    try:
        reading.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")

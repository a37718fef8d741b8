"""Names for requests and answers: request ids, trace ids and ULIDs."""

from __future__ import annotations

import os
import re
import secrets
import threading
import time
from collections.abc import Callable

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Six digits, however parted, may be somebody's number in a name that a caller made up.
_NUMBERED = re.compile(r"[0-9](?:[._-]*[0-9]){5}")
# UUIDs of RFC 9562 that are drawn, 128 bits in hexadecimal, ULIDs: six digits in a row are no surprise in these.
_DRAWN = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|[0-9a-f]{32}|[0-7][0-9A-HJKMNP-TV-Z]{25}", re.IGNORECASE
)
# What random digits hardly ever are: a mobile number, a number filled up with zeros, one as long as those of identities and cards.
_PERSONAL = re.compile(r"(?<![0-9])(?:1[3-9][0-9]{9}|0[0-9]{10,}|[0-9]{15,})(?![0-9])")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(first + second for first in _CROCKFORD for second in _CROCKFORD)
_RANDOM_BITS = 80


def request_id(incoming: str | None) -> str:
    """The caller's id when it is safe to log and to repeat, else a fresh one.

    Safe is what is drawn at random (a UUID, 32 hexadecimal digits, a ULID) and does not look like somebody's number, and any other
    name without six digits.
    """
    if incoming is not None and _REQUEST_ID.fullmatch(incoming) and _is_nobodys(incoming):
        return incoming
    return _fresh_ids()


class _HexIds:
    """128 random bits as hex without what looks like somebody's number, asked of the system for many ids at a time; thread-safe.

    A call of the system gives up the interpreter, and getting it back while the engine works costs more than the id.
    """

    _MANY = 256

    def __init__(self) -> None:
        self._ready: list[str] = []
        # two processes must never go on with the same ids
        os.register_at_fork(after_in_child=self._ready.clear)

    def __call__(self) -> str:
        while True:
            try:
                return self._ready.pop()
            except IndexError:
                drawn = secrets.token_hex(16 * self._MANY)
                ids = (drawn[start : start + 32] for start in range(0, len(drawn), 32))
                self._ready.extend(each for each in ids if not _PERSONAL.search(each))


_fresh_ids = _HexIds()


def honoured(traceparent: str | None) -> str | None:
    """The header where it is well formed and neither of its ids looks like somebody's number, else None: a new trace begins."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return None if match is None or any(_PERSONAL.search(each) for each in match.group(2, 3)) else traceparent


def trace_id(traceparent: str | None) -> str | None:
    """The trace id of a W3C ``traceparent`` header, None when absent or malformed."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    if match is None:
        return None
    version, trace, parent, rest = match.groups()
    is_valid = version != "ff" and set(trace) != {"0"} and set(parent) != {"0"} and not (version == "00" and rest)
    return trace if is_valid else None


def _is_nobodys(name: str) -> bool:
    return not (_PERSONAL if _DRAWN.fullmatch(name) else _NUMBERED).search(name)


class UlidSource:
    """Makes ULIDs that rise strictly within this process, also within one millisecond; thread-safe."""

    def __init__(self, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._now_ms = now_ms
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            fresh = (self._now_ms() << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
            # A clock that stands still or steps back must not break the order.
            is_later = fresh >> _RANDOM_BITS > self._last >> _RANDOM_BITS
            self._last = fresh if is_later else self._last + 1
            return "".join([_PAIRS[(self._last >> shift) & 1023] for shift in range(120, -1, -10)])

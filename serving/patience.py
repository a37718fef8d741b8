"""What the connections of a server have in common: its patience, its limits, and who turns requests away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from serving.settings import MAX_FILE_BYTES

if TYPE_CHECKING:
    from serving.connections import PatientProtocol


_REST_S = 0.004
"""A refusal is due within 10 ms."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for a request's head, for its body, and between requests; and connections at the same time."""

    head_s: float = 10.0
    body_s: float = 10.0
    idle_s: float = 15.0
    connections: int = 1000


Headers = Sequence[tuple[bytes, bytes]]


class Keeper(Protocol):
    """Turns requests away before there is a task: of ten times the load, nine tenths are refused, on the core that serves the rest.

    Both tell the whole response to a POST that is turned away now, and None for all others; the last headers are the server's.
    """

    def response(self, path: bytes, headers: Headers, default_headers: Headers, /) -> bytes | None:
        """By its path and its headers, for one with a body not longer than MOST_BODY_BYTES, which came and is read over."""

    def at_sight(self, data: bytes, default_headers: Headers, /) -> bytes | None:
        """By what came between two requests, where that is plainly one such request and nothing else; what ``response`` tells."""


@dataclass(slots=True)
class Shared:
    """What the connections of a server know of each other: those that do not wait for us, longest first.

    ``count`` is told the code of each refusal of which the app never hears; ``keeper`` refuses what the app need not hear of.
    ``rest`` does nothing for so many seconds. ``came``: there is a new connection since the last rest.
    """

    patience: Patience
    count: Callable[[str], None]
    keeper: Keeper | None = None
    rest: Callable[[float], None] = time.sleep
    waiting: dict[PatientProtocol, None] = field(default_factory=dict)
    came: bool = True
    _turned_away: int = 0

    def rest_after_this(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the thread of ``loop`` rest, once what came has been dealt with, so that what comes next is dealt with together.

        For a flood: to wake for each request that is refused costs more than to refuse it, on the core that serves others, so the
        server looks now and then instead of being woken (J. Mogul, K. Ramakrishnan, "Eliminating Receive Livelock in an
        Interrupt-driven Kernel", 1997). Not for a single request a turn, nor
        while connections come (``came``): of those the loop takes one a turn.
        """
        self._turned_away += 1
        if self._turned_away == 1:
            loop.call_soon(self._rest)

    def _rest(self) -> None:
        is_flood = self._turned_away > 1 and not self.came
        self.came, self._turned_away = False, 0
        if is_flood:
            self.rest(_REST_S)


def declared(headers: Headers) -> int:
    """The length of the body that the head announces, at most that of a file; 0 when it announces none that makes sense."""
    length = next((value for name, value in headers if name == b"content-length"), b"")
    return min(int(length), MAX_FILE_BYTES) if length.isdigit() and len(length) < 10 else 0

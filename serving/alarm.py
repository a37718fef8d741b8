"""A time limit that is moved all the time and hardly ever passes, so that moving it has to cost next to nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls ``late`` once the time it was last set to has passed.

    A timer of the loop is made and cancelled at a cost. This has one, which is left where it is when the time moves back; going
    off too early, it waits for the rest.
    """

    __slots__ = ("_due", "_late", "_loop", "_timer", "_timer_due")

    def __init__(self, loop: asyncio.AbstractEventLoop, late: Callable[[], None]) -> None:
        self._loop, self._late = loop, late
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0

    @property
    def left(self) -> float | None:
        """Seconds until it goes off; None while it is not set."""
        return None if self._due is None else self._due - self._loop.time()

    def set(self, seconds: float) -> None:
        """Go off that much later, and not when it was to."""
        self._due = self._loop.time() + seconds
        if self._timer is None or self._due < self._timer_due:
            self._start_timer(seconds)

    def unset(self) -> None:
        """Do not go off."""
        self._due = None

    def close(self) -> None:
        """Never go off again, and let go of everything, so that no garbage collector has to find out who holds whom."""
        self._due, self._late = None, _nothing
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, self._go_off)

    def _go_off(self) -> None:
        self._timer, left = None, self.left
        if left is None:
            return
        if left > 0:
            return self._start_timer(left)
        self._due = None
        self._late()


def _nothing() -> None:
    """Nobody is late any more."""

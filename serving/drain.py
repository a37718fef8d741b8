"""How fast messages are decided, measured while they are: the ground of every promise about waiting."""

from __future__ import annotations

from math import exp

_MEMORY_S = 1.0
"""Seconds of work after which a measurement counts for 1/e: a machine that slows down is noticed within that time."""
_GUESS_S, _WEIGHT = 0.005, 20.0
"""Seconds a message before anything was measured, and the messages it weighs as much as."""


class DrainRate:
    """Seconds of work a message takes off the queue: time in which anything was being decided, divided by what was decided.

    Both sums fade exponentially with the time worked, not with the time of day: an idle night teaches nothing. Work that
    overlaps (several cores, or a commit beside the next decision) is counted once, so that the figure falls when the queue
    keeps all of them busy, which is when it matters.
    """

    def __init__(self) -> None:
        self._seconds, self._messages = _GUESS_S * _WEIGHT, _WEIGHT
        self._running = 0
        self._since = 0.0

    @property
    def seconds_a_message(self) -> float:
        """Seconds between two decided messages while there is work."""
        return self._seconds / self._messages

    def began(self, now: float) -> None:
        """A batch is being decided from ``now`` on (seconds)."""
        if not self._running:
            self._since = now
        self._running += 1

    def ended(self, now: float, messages: int) -> None:
        """A batch of ``messages`` is decided; 0 for work that says nothing about messages."""
        worked, self._since = now - self._since, now
        self._running -= 1
        if not messages:
            return
        faded = exp(-worked / _MEMORY_S)
        self._seconds, self._messages = self._seconds * faded + worked, self._messages * faded + messages

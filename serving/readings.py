"""Counts kept elsewhere as counters of Prometheus, which can only be added to."""

from __future__ import annotations

from prometheus_client import Counter


class Rise:
    """Lets ``counter`` rise as another count does; one that falls has begun anew. Not thread-safe."""

    def __init__(self, counter: Counter) -> None:
        self._counter, self._last = counter, 0.0

    def to(self, count: float) -> None:
        """``count`` is what the other has come to."""
        news = count - self._last if count >= self._last else count
        self._last = count
        if news:
            self._counter.inc(news)

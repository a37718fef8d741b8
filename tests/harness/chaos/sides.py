"""Honest clients with and without something beside them, in turn, in one run: A, B, A, B …"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from evaluation.bench.serving.figures import Figure, quantile, quantile_ratio
from evaluation.bench.serving.load import Generator, Offer
from evaluation.bench.serving.traffic import Fresh
from tests.harness.chaos.client import rest
from tests.harness.chaos.findings import Check, Value, at_most, none
from tests.harness.chaos.site import Serving

_P99 = 0.99
_MOST = 1.2
_CONNECTIONS, _PEAK_S = 8, 3.0
_SETTLE_S, _LEAST = 1.0, 150


@dataclass
class Sides:
    """``rate`` honest requests a second: their milliseconds from when they were due, a list a repeat; and how many had no reply."""

    rate: float
    without: list[Sequence[float]] = field(default_factory=list)
    beside: list[Sequence[float]] = field(default_factory=list)
    errors_without: int = 0
    errors_beside: int = 0

    @property
    def ratio(self) -> Figure:
        """The 99th percentile beside against that without."""
        return quantile_ratio(self.beside, self.without, _P99)

    def checks(self) -> list[Check]:
        """What has to hold for honest clients."""
        return [none("honest requests without a reply", self.errors_beside), at_most("honest p99, ratio", self.ratio.value, _MOST)]

    def figures(self) -> dict[str, Value]:
        """For the report."""
        ratio = self.ratio
        return {
            "honest requests a second": round(self.rate, 1),
            "honest requests without / beside": f"{sum(map(len, self.without))} / {sum(map(len, self.beside))}",
            "honest p99 without, ms": round(quantile(self.without, _P99).value, 2),
            "honest p99 beside, ms": round(quantile(self.beside, _P99).value, 2),
            "ratio, 95 % interval": f"{ratio.low:.2f} to {ratio.high:.2f}",
            "honest requests without a reply, without": self.errors_without,
        }


@dataclass(frozen=True)
class Honest:
    """So many honest requests that a ``share`` of what the server can do is used, ``seconds`` a side, longer where that would be few."""

    generator: Generator
    fresh: Fresh
    share: float = 0.25
    seconds: float = 6.0
    most_seconds: float = 20.0

    def compare(self, serving: Serving, repeats: int, attack: Callable[[], AbstractContextManager[object]]) -> Sides:
        """``repeats`` times without and beside ``attack``, whose order changes each time."""
        sides = Sides(rate=self.share * self._peak(serving))
        for number in range(repeats):
            for beside in (number % 2 == 1, number % 2 == 0):
                with attack() if beside else nullcontext():
                    _settle(serving)
                    times, errors = self._ask(serving, sides.rate)
                (sides.beside if beside else sides.without).append(times)
                if beside:
                    sides.errors_beside += errors
                else:
                    sides.errors_without += errors
        return sides

    def _peak(self, serving: Serving) -> float:
        """Replies a second at saturation, after what is loaded on first use was loaded."""
        running = serving.running()
        for seconds in (1.0, _PEAK_S):
            bodies = running.server.bodies(self.fresh.take(round(1500 * seconds)))
            found = self.generator.offer(Offer(seconds), running.url, bodies)
        return found.goodput()

    def _ask(self, serving: Serving, rate: float) -> tuple[Sequence[float], int]:
        running = serving.running()
        seconds = min(self.most_seconds, max(self.seconds, _LEAST / rate))
        bodies = running.server.bodies(self.fresh.take(round(rate * seconds * 1.2) + 10))
        found = self.generator.offer(Offer(seconds, rate, connections=_CONNECTIONS), running.url, bodies)
        return found.due_ms, found.errors


def _settle(serving: Serving) -> None:
    """What came or went has been dealt with."""
    serving.ready()
    rest(_SETTLE_S)

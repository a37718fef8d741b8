"""One repeat of one server next to Yingda: first one, then the other, each with the machine to itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from evaluation.bench.serving.load import Generator, Offer, Outcome
from evaluation.bench.serving.server import Running
from evaluation.bench.serving.traffic import Fresh
from evaluation.errors import EvaluationError

_ROWS_A_SECOND = 1500
"""Fresh messages kept ready for a saturated server; where they run out, they come again and a cache could answer."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Seconds of each phase, and how often all of it is repeated."""

    repeats: int = 5
    warm_s: float = 1.5
    saturate_s: float = 4.0
    load_s: float = 4.0
    shares: tuple[float, ...] = (0.5, 0.7)
    idle_s: float = 8.0
    idle_rate: float = 10.0
    overload_s: float = 5.0
    factors: tuple[int, ...] = (2, 5, 10)
    connections: int = 16


QUICK = Plan(repeats=2, warm_s=1.0, saturate_s=1.5, load_s=2.0, shares=(0.7,), idle_s=4.0, overload_s=2.0, factors=(2, 10))


@dataclass(frozen=True, slots=True)
class Saturated:
    """A server that always has work: replies a second, CPU milliseconds a reply, requests without a reply."""

    replies_s: float
    cpu_ms: float
    errors: int
    reused: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """A server at ``rate`` requests a second: milliseconds from when each was due."""

    rate: float
    due_ms: tuple[float, ...]
    errors: int


@dataclass(slots=True)
class Side:
    """What one server did in one repeat; ``loads`` by share of the weaker one's capacity."""

    saturated: Saturated
    loads: dict[str, Loaded] = field(default_factory=dict)
    cold_start_s: float = 0.0
    pss_mib: float = 0.0


@dataclass(frozen=True)
class Ground:
    """What all rounds share."""

    generator: Generator
    fresh: Fresh
    plan: Plan

    def warm_up(self, running: Running) -> None:
        """Let load on first use what loads on first use."""
        bodies = running.server.bodies(self.fresh.take(round(300 * self.plan.warm_s)))
        self.generator.offer(Offer(self.plan.warm_s, connections=4), running.url, bodies)

    def saturate(self, running: Running, bodies: Sequence[str]) -> Saturated:
        """Closed loop; raises EvaluationError where nothing is answered."""
        offer = Offer(self.plan.saturate_s, connections=self.plan.connections)
        before = running.cpu_s()
        found = self.generator.offer(offer, running.url, bodies)
        spent = running.cpu_s() - before
        if not found.replies_ms:
            raise EvaluationError(f"gave no reply under load; {_said(found)}")
        # what was under way when the time was up is answered too, and takes as long as any other reply
        seconds = offer.seconds + median(found.replies_ms) / 1000
        replies = len(found.replies_ms)
        return Saturated(replies / seconds, 1000 * spent / replies, found.errors, replies > len(bodies))

    def load(self, running: Running, bodies: Sequence[str], rate: float, seconds: float) -> Loaded:
        """Open loop."""
        found = self.generator.offer(Offer(seconds, rate), running.url, bodies)
        return Loaded(rate, tuple(round(value, 3) for value in found.due_ms), found.errors)


def pair_round(ground: Ground, ours: Running, peer: Running, *, ours_first: bool) -> dict[str, Any]:
    """Both sides of one repeat, as JSON: saturated on the same messages, then at equal load."""
    plan, count = ground.plan, round(ground.plan.saturate_s * _ROWS_A_SECOND)
    texts = ground.fresh.take(1 if peer.server.repeated else count)
    order = (ours, peer) if ours_first else (peer, ours)
    with peer.halted():
        ground.warm_up(ours)
    with ours.halted():
        ground.warm_up(peer)
    sides: dict[str, Side] = {}
    for here, there in (order, order[::-1]):
        with there.halted():
            sides[here.server.name] = Side(ground.saturate(here, here.server.bodies(texts)), cold_start_s=here.cold_start_s)
    weaker = min(side.saturated.replies_s for side in sides.values())
    for share in plan.shares if not peer.server.repeated else ():
        texts = ground.fresh.take(round(weaker * share * plan.load_s * 1.2) + 10)
        for here, there in (order, order[::-1]):
            with there.halted():
                loaded = ground.load(here, here.server.bodies(texts), weaker * share, plan.load_s)
                sides[here.server.name].loads[str(share)] = loaded
    for running in order:
        sides[running.server.name].pss_mib = running.pss_mib()
    return {"ours": asdict(sides[ours.server.name]), "peer": asdict(sides[peer.server.name])}


def _said(found: Outcome) -> str:
    statuses = ", ".join(f"{len(times)} with status {status}" for status, times in sorted(found.refusals_ms.items()))
    return statuses or f"{found.lost} unanswered"

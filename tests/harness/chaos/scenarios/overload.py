"""R2: more requests than can be answered; goodput stays near the peak, the rest is refused at once and told when to come again."""

from __future__ import annotations

from statistics import mean, median
from time import monotonic
from typing import Any

from evaluation.bench.serving.alone import Probes, answered_at, recovery_s
from evaluation.bench.serving.load import Generator, Offer
from tests.harness.chaos.client import rest
from tests.harness.chaos.findings import Check, Finding, Value, at_least, at_most, none
from tests.harness.chaos.ground import Ground
from tests.harness.chaos.site import Serving

_WANTED = {2: 0.97, 5: 0.95, 10: 0.90}
_PEAK_S, _OVERLOAD_S, _AFTER_S = 4.0, 5.0, 4.0
_PROBES = 25 * 40
_REFUSAL_MS, _RECOVERY_S, _SLOW_MS = 10.0, 2.0, 50.0
_IDLE_S, _IDLE_RATE = 4.0, 10.0


def overload(ground: Ground) -> Finding:
    """Open loop at 2, 5 and 10 times the peak, each between two measurements of the peak."""
    generator, rounds = ground.load(), {factor: list[dict[str, Any]]() for factor in _WANTED}
    with ground.site() as site, site.running() as serving:
        _peak(ground, generator, serving)  # what is loaded on first use
        slow_ms = _slow_ms(ground, generator, serving)
        for _ in range(max(1, ground.repeats - 1)):
            peaks = [_peak(ground, generator, serving)]
            for factor in _WANTED:
                found = _overloaded(ground, generator, serving, factor * peaks[-1], slow_ms)
                peaks.append(_peak(ground, generator, serving))
                rounds[factor].append({**found, "peak": mean(peaks[-2:])})
        alive = serving.alive
    checks = [none("servers that ended", int(not alive)), *(check for factor in _WANTED for check in _checks(factor, rounds[factor]))]
    return Finding(
        "overload", "R2", checks, {name: value for factor in _WANTED for name, value in _figures(factor, rounds[factor]).items()}
    )


def _peak(ground: Ground, generator: Generator, serving: Serving) -> float:
    running = serving.running()
    found = generator.offer(Offer(_PEAK_S, connections=16), running.url, running.server.bodies(ground.fresh.take(round(1500 * _PEAK_S))))
    return found.goodput()


def _slow_ms(ground: Ground, generator: Generator, serving: Serving) -> float:
    """A reply slower than this shows that the server has not recovered: three times the slowest of an idle one."""
    running = serving.running()
    bodies = running.server.bodies(ground.fresh.take(round(1.2 * _IDLE_S * _IDLE_RATE)))
    return max(_SLOW_MS, 3 * max(generator.offer(Offer(_IDLE_S, _IDLE_RATE), running.url, bodies).due_ms, default=0.0))


def _overloaded(ground: Ground, generator: Generator, serving: Serving, rate: float, slow_ms: float) -> dict[str, Any]:
    running = serving.running()
    bodies = running.server.bodies(ground.fresh.take(min(20_000, round(rate * _OVERLOAD_S * 1.1))))
    with Probes(running, running.server.bodies(ground.fresh.take(_PROBES))) as probes:
        end = monotonic() + _OVERLOAD_S
        found = generator.offer(Offer(_OVERLOAD_S, rate), running.url, bodies)
        rest(max(0.0, end + _AFTER_S - monotonic()))
    refusals = sorted(value for times in found.refusals_ms.values() for value in times)
    refused = [probe for probe in probes.found if probe.status in (429, 503)]
    return {
        "goodput": found.goodput(answered_at(probes.found)),
        "refusal_ms": median(refusals) if refusals else 0.0,
        "refusal_p99_ms": refusals[99 * (len(refusals) - 1) // 100] if refusals else 0.0,
        "refused": len(refusals),
        "unexpected": sum(len(times) for status, times in found.refusals_ms.items() if status not in ("429", "503")),
        "lost": found.lost,
        "silent": sum(not probe.retry_after for probe in refused),
        "recovery_s": recovery_s(probes.found, end=end, slow_ms=slow_ms),
    }


def _checks(factor: int, rounds: list[dict[str, Any]]) -> list[Check]:
    return [
        at_least(f"{factor}×: goodput, share of peak", _share(rounds), _WANTED[factor], timed=True),
        none(f"{factor}×: refusals without Retry-After", sum(each["silent"] for each in rounds)),
        none(f"{factor}×: refused otherwise than 429 and 503", sum(each["unexpected"] for each in rounds)),
        at_most(f"{factor}×: refusal, median ms", median(each["refusal_ms"] for each in rounds), _REFUSAL_MS),
        at_most(f"{factor}×: recovery, s", median(each["recovery_s"] for each in rounds), _RECOVERY_S),
    ]


def _figures(factor: int, rounds: list[dict[str, Any]]) -> dict[str, Value]:
    return {
        f"{factor}×: peak, goodput, replies/s": f"{_mean(rounds, 'peak'):.0f}, {_mean(rounds, 'goodput'):.0f}",
        f"{factor}×: refused, unanswered": f"{sum(each['refused'] for each in rounds)}, {sum(each['lost'] for each in rounds)}",
        f"{factor}×: refusal, 99th percentile ms": round(median(each["refusal_p99_ms"] for each in rounds), 1),
    }


def _share(rounds: list[dict[str, Any]]) -> float:
    return _mean(rounds, "goodput") / _mean(rounds, "peak")


def _mean(rounds: list[dict[str, Any]], name: str) -> float:
    return float(mean(each[name] for each in rounds))

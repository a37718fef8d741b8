"""Rounds to figures: one line a server, ratios of Yingda to it with their lower ends, and the targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from evaluation.bench.serving import figures
from evaluation.bench.serving.bench import Result
from evaluation.bench.serving.figures import Figure
from evaluation.bench.serving.rounds import Plan

Rounds = Sequence[Mapping[str, Any]]
_HALF, _MOST = 0.5, 0.99
_DIGITS = 4


def summarise(results: Sequence[Result], plan: Plan) -> dict[str, Any]:
    """All figures, as JSON: ``yingda`` alone, then each server next to it."""
    ours, *peers = results
    alone = _alone(ours.rounds, plan)
    return {
        "yingda": {**_facts(ours), **alone},
        "servers": [{**_facts(peer), **_pair(peer.rounds, alone)} for peer in peers],
    }


def _facts(result: Result) -> dict[str, Any]:
    server, found = result.server, result.installed
    state = (
        "skipped" if result.skipped else "failed" if result.reason and not result.rounds else "incomplete" if result.reason else "measured"
    )
    return {
        "name": server.name,
        "note": server.note,
        "state": state,
        "reason": result.reason,
        "repeats": len(result.rounds),
        "repeated_message": server.repeated,
        "versions": {name: found.version(name) for name in server.packages} if found else {},
        "packages": len(found.packages) if found else None,
        "installed_mib": found.mib if found else None,
    }


def _alone(rounds: Rounds, plan: Plan) -> dict[str, Any]:
    if not rounds:
        return {}
    engine = [each["loops"]["engine"] for each in rounds]
    encoder = [each["loops"]["encoder"] for each in rounds]
    served = [each["saturated"]["cpu_ms"] for each in rounds]
    return {
        **_saturated([each["saturated"] for each in rounds]),
        "cold_start_s": _plain(figures.mean([each["cold_start_s"] for each in rounds])),
        "pss_mib": _plain(figures.mean([each["pss_mib"] for each in rounds])),
        "idle_ms": _latency([each["idle"] for each in rounds]),
        "repeated_ms": _latency([each["repeated"] for each in rounds]),
        "mixed": _saturated([each["mixed"] for each in rounds]),
        "cache": {name: sum(each["cache"][name] for each in rounds) for name in ("compared", "wrong")},
        "loops": {
            "encoder_cpu_ms": _plain(figures.mean(encoder)),
            "engine_cpu_ms": _plain(figures.mean(engine)),
            "share_of_encoder": _plain(figures.ratio(encoder, served)),
            "http_cpu_us": _plain(figures.mean([1000 * (whole - inner) for whole, inner in zip(served, engine, strict=True)])),
        },
        "overload": {str(factor): _overload([each["overloads"][str(factor)] for each in rounds]) for factor in plan.factors},
    }


def _pair(rounds: Rounds, alone: Mapping[str, Any]) -> dict[str, Any]:
    if not rounds:
        return {}
    ours, theirs = ([each[side] for each in rounds] for side in ("ours", "peer"))
    costs = [[side["saturated"]["cpu_ms"] for side in sides] for sides in (theirs, ours)]
    pace = [[side["saturated"]["replies_s"] for side in sides] for sides in (ours, theirs)]
    cold = [side["cold_start_s"] for side in theirs]
    memory = [side["pss_mib"] for side in theirs]
    return {
        **_saturated([side["saturated"] for side in theirs]),
        "yingda_beside": _saturated([side["saturated"] for side in ours]),
        "cold_start_s": _plain(figures.mean(cold)),
        "pss_mib": _plain(figures.mean(memory)),
        # how many times as many replies Yingda gives: of a CPU second, and of a second
        "replies_per_cpu_ratio": _plain(figures.ratio(*costs)),
        "replies_ratio": _plain(figures.ratio(*pace)),
        "pss_ratio": _plain(figures.ratio([side["pss_mib"] for side in ours], memory)),
        "cold_start_ratio": _plain(figures.ratio([alone["cold_start_s"]["value"]] * len(cold), cold)),
        "loads": {share: _loads(share, ours, theirs) for share in ours[0]["loads"]},
    }


def _loads(share: str, ours: Rounds, theirs: Rounds) -> dict[str, Any]:
    here, there = ([side["loads"][share] for side in sides] for sides in (ours, theirs))
    rates = [load["rate"] for load in there]
    answered = all(load["due_ms"] for load in [*here, *there])
    return {
        "rate": _plain(figures.mean(rates)),
        "yingda_ms": _latency(here),
        "peer_ms": _latency(there),
        "p99_ratio": _plain(figures.quantile_ratio([load["due_ms"] for load in here], [load["due_ms"] for load in there], _MOST))
        if answered
        else None,
    }


def _saturated(rounds: Rounds) -> dict[str, Any]:
    costs = [each["cpu_ms"] for each in rounds]
    return {
        "replies_s": _plain(figures.mean([each["replies_s"] for each in rounds])),
        "cpu_ms": _plain(figures.mean(costs)),
        "replies_per_cpu_s": _plain(figures.ratio([1000.0] * len(costs), costs)),
        "errors": sum(each["errors"] for each in rounds),
    }


def _latency(rounds: Rounds) -> dict[str, Any]:
    times = [each["due_ms"] for each in rounds if each["due_ms"]]
    counts = {"requests": sum(len(each["due_ms"]) for each in rounds), "errors": sum(each["errors"] for each in rounds)}
    if not times:
        return counts
    return {"p50": _plain(figures.quantile(times, _HALF)), "p99": _plain(figures.quantile(times, _MOST)), **counts}


def _overload(rounds: Rounds) -> dict[str, Any]:
    refusals = [each["refusals_ms"] for each in rounds if each["refusals_ms"]]
    statuses: dict[str, int] = {}
    for each in rounds:
        for status, count in each["refusals"].items():
            statuses[status] = statuses.get(status, 0) + count
    return {
        "rate": _plain(figures.mean([each["rate"] for each in rounds])),
        "goodput_share": _plain(figures.ratio([each["goodput"] for each in rounds], [each["peak"] for each in rounds])),
        "refusal_p50_ms": _plain(figures.quantile(refusals, _HALF)) if refusals else None,
        "refusal_p99_ms": _plain(figures.quantile(refusals, _MOST)) if refusals else None,
        "refusals": statuses,
        "lost": sum(each["lost"] for each in rounds),
        "probed_refusals": sum(each["probed_refusals"] for each in rounds),
        "without_retry_after": sum(each["without_retry_after"] for each in rounds),
        "recovery_s": _plain(figures.mean([each["recovery_s"] for each in rounds])),
    }


def _plain(figure: Figure) -> dict[str, float]:
    return {name: round(value, _DIGITS) for name, value in asdict(figure).items()}

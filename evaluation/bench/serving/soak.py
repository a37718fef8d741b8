"""R1: Yingda at 70 % of its capacity for minutes; errors, and how p99 and memory change from the first stretch to the last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.bench.serving.rounds import Ground
from evaluation.bench.serving.server import Running, Server, start

_SHARE = 0.7
_STRETCH_S = 30.0
_MOST_DRIFT, _MOST_GROWTH = 0.10, 0.02
_CAPACITY_S = 8.0


def soak(
    server: Server, ground: Ground, *, minutes: float, work: Path, cores: frozenset[int], say: Callable[[str], None]
) -> dict[str, Any]:
    """Figures as JSON; ``met`` says whether R1 holds. Raises EvaluationError where the server cannot be measured."""
    running = start(server, work, cores, log=work / "logs" / "soak.log")
    try:
        ground.warm_up(running)
        longer = replace(ground, plan=replace(ground.plan, saturate_s=_CAPACITY_S))
        capacity = longer.saturate(running, server.bodies(ground.fresh.take(round(_CAPACITY_S * 1500)))).replies_s
        stretches = _stretches(running, ground, rate=_SHARE * capacity, seconds=60 * minutes, say=say)
    finally:
        running.stop()
    return judge_soak(stretches, rate=_SHARE * capacity, minutes=minutes)


def judge_soak(stretches: Sequence[Mapping[str, float]], *, rate: float, minutes: float) -> dict[str, Any]:
    """R1 of stretches with ``errors``, ``p99_ms`` and ``pss_mib``: the last third against the first third.

    The first stretch warms caches and pools and counts for errors alone.
    """
    settled = stretches[1:] if len(stretches) > 3 else stretches
    third = max(1, len(settled) // 3)
    p99, memory = (np.asarray([each[name] for each in settled]) for name in ("p99_ms", "pss_mib"))
    drift = float(np.median(p99[-third:]) / np.median(p99[:third]) - 1)
    growth = float(np.median(memory[-third:]) / np.median(memory[:third]) - 1)
    errors = int(sum(each["errors"] for each in stretches))
    return {
        "rate": round(rate, 1),
        "minutes": minutes,
        "requests": int(sum(each["requests"] for each in stretches)),
        "errors": errors,
        "p99_drift": round(drift, 4),
        "pss_growth": round(growth, 4),
        "met": errors == 0 and drift <= _MOST_DRIFT and growth <= _MOST_GROWTH,
        "stretches": list(stretches),
    }


def soak_to_markdown(tree: Mapping[str, Any]) -> str:
    """The soak as a page."""
    run = tree["run"]
    lines = [
        "# Soak",
        "",
        f"{tree['minutes']:g} minutes at {tree['rate']:g} requests a second, 70 % of capacity, fresh messages. Drift, growth: the median",
        f"of the last third of the {len(tree['stretches'])} stretches against that of the first third, without the first stretch.",
        "",
        "| what | target | reached |",
        "|---|--:|--:|",
        f"| errors among {tree['requests']} requests | 0 | {tree['errors']} |",
        f"| p99 drift | ≤ {100 * _MOST_DRIFT:.0f} % | {100 * tree['p99_drift']:.1f} % |",
        f"| memory (PSS) growth | ≤ {100 * _MOST_GROWTH:.0f} % | {100 * tree['pss_growth']:.1f} % |",
        "",
        "| from s | p50 ms | p99 ms | errors | PSS MiB |",
        "|--:|--:|--:|--:|--:|",
        *(
            f"| {each['from_s']:.0f} | {each['p50_ms']:.2f} | {each['p99_ms']:.2f} | {each['errors']:.0f} | {each['pss_mib']:.0f} |"
            for each in tree["stretches"]
        ),
        "",
        f"Commit {run['commit'] or '–'}; {run['machine']['cores']} cores, {run['machine']['processor']}.",
    ]
    return "\n".join(lines) + "\n"


def _stretches(running: Running, ground: Ground, *, rate: float, seconds: float, say: Callable[[str], None]) -> list[dict[str, float]]:
    found: list[dict[str, float]] = []
    while len(found) * _STRETCH_S < seconds:
        length = min(_STRETCH_S, seconds - len(found) * _STRETCH_S)
        bodies = running.server.bodies(ground.fresh.take(round(rate * length * 1.1) + 10))
        load = ground.load(running, bodies, rate, length)
        times = np.asarray(load.due_ms or (float("nan"),))
        stretch = {
            "from_s": len(found) * _STRETCH_S,
            "requests": float(len(load.due_ms)),
            "errors": float(load.errors),
            "p50_ms": round(float(np.median(times)), 3),
            "p99_ms": round(float(np.quantile(times, 0.99)), 3),
            "pss_mib": round(running.pss_mib(), 2),
        }
        say(f"{stretch['from_s']:.0f} s: p99 {stretch['p99_ms']:.1f} ms, {stretch['errors']:.0f} errors, {stretch['pss_mib']:.0f} MiB")
        found.append(stretch)
    return found

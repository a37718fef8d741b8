"""What is aimed at, and what was reached: the figure, the end of its interval that is worse, and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Tree = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """``read`` finds a figure with ``value``, ``low`` and ``high`` in the summary (KeyError or None where it was not measured)."""

    id: str
    what: str
    limit: float
    at_least: bool
    read: Callable[[Tree], Any]


@dataclass(frozen=True, slots=True)
class Reached:
    """A target with its figure; ``end`` is the end of the interval that counts, ``met`` None where nothing was measured."""

    target: Target
    value: float | None
    end: float | None
    met: bool | None


def judge(tree: Tree) -> list[Reached]:
    """Every target in order."""
    return [_judge(target, tree) for target in TARGETS]


def _judge(target: Target, tree: Tree) -> Reached:
    try:
        found = target.read(tree)
    except (KeyError, StopIteration, TypeError):
        found = None
    if found is None:
        return Reached(target, None, None, None)
    if not isinstance(found, Mapping):
        found = {"value": float(found), "low": float(found), "high": float(found)}
    end = found["low"] if target.at_least else found["high"]
    return Reached(target, found["value"], end, end >= target.limit if target.at_least else end <= target.limit)


def _ours(*path: str) -> Callable[[Tree], Any]:
    return lambda tree: _walk(tree["yingda"], path)


def _peer(name: str, *path: str) -> Callable[[Tree], Any]:
    return lambda tree: _walk(next(each for each in tree["servers"] if each["name"] == name), path)


def _walk(tree: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        tree = tree[name]
    return tree


_CPU, _P99 = "replies_per_cpu_ratio", ("loads", "0.7", "p99_ratio")

TARGETS = (
    Target("P1", "fresh replies a CPU second, shipped bundle", 225, True, _ours("replies_per_cpu_s")),
    Target("P1", "fresh replies a CPU second, profile fast", 450, True, _peer("yingda-fast", "replies_per_cpu_s")),
    Target("P2", "replies a CPU second, to torch with three models", 6, True, _peer("torch-three", _CPU)),
    Target("P2", "replies a CPU second, to one torch encoder and scikit-learn", 3, True, _peer("torch-shared", _CPU)),
    Target("P3", "replies a CPU second, to FastAPI on identical weights", 1.5, True, _peer("onnx-same", _CPU)),
    Target("P3", "replies a CPU second, to sentence-transformers ONNX int8", 2.5, True, _peer("st-onnx", _CPU)),
    Target("P3", "p99 at equal load (70 %), to sentence-transformers ONNX int8", 0.5, False, _peer("st-onnx", *_P99)),
    Target("P4", "replies a CPU second, to infinity-emb", 2.5, True, _peer("infinity", _CPU)),
    Target("P5", "replies a second, to LitServe on our ONNX file", 2, True, _peer("litserve", "replies_ratio")),
    Target("P5", "p99 at equal load (70 %), to LitServe", 0.4, False, _peer("litserve", *_P99)),
    Target("P5", "replies a second, to BentoML on our ONNX file", 2, True, _peer("bentoml", "replies_ratio")),
    Target("P5", "p99 at equal load (70 %), to BentoML", 0.4, False, _peer("bentoml", *_P99)),
    Target("P5", "HTTP, queue and store beyond the engine, µs CPU a reply", 200, False, _ours("loops", "http_cpu_us")),
    Target("P6", "replies a second, to Rasa 3.6", 10, True, _peer("rasa", "replies_ratio")),
    Target("P6", "memory (PSS), to Rasa 3.6", 0.25, False, _peer("rasa", "pss_ratio")),
    Target("P6", "cold start, to Rasa 3.6", 0.1, False, _peer("rasa", "cold_start_ratio")),
    Target("P7", "idle, fresh message, p50 ms", 4, False, _ours("idle_ms", "p50")),
    Target("P7", "idle, fresh message, p99 ms", 12, False, _ours("idle_ms", "p99")),
    Target("P7", "idle, repeated message, p50 ms", 0.6, False, _ours("repeated_ms", "p50")),
    Target("P8", "repeated full reply, requests a CPU second, to a FastAPI echo", 1.5, True, _peer("echo", _CPU)),
    Target("P9", "60 % repeats, replies a CPU second", 500, True, _ours("mixed", "replies_per_cpu_s")),
    Target("P9", "wrong cached replies", 0, False, _ours("cache", "wrong")),
    Target("P13", "packages", 45, False, _ours("packages")),
    Target("P13", "installed MiB", 350, False, _ours("installed_mib")),
    Target("P13", "exec to first reply, s", 2, False, _ours("cold_start_s")),
    Target("P13", "memory (PSS) after load, MiB", 300, False, _ours("pss_mib")),
    Target("P14", "end to end, as a share of the bare encoder loop's messages a CPU second", 0.8, True, _ours("loops", "share_of_encoder")),
    Target("R2", "goodput at 2×, share of peak", 0.97, True, _ours("overload", "2", "goodput_share")),
    Target("R2", "goodput at 5×, share of peak", 0.95, True, _ours("overload", "5", "goodput_share")),
    Target("R2", "goodput at 10×, share of peak", 0.90, True, _ours("overload", "10", "goodput_share")),
    Target("R2", "refusal at 10×, p99 ms", 10, False, _ours("overload", "10", "refusal_p99_ms")),
    Target("R2", "refusals without Retry-After at 10×", 0, False, _ours("overload", "10", "without_retry_after")),
    Target("R2", "recovery after 10×, s", 2, False, _ours("overload", "10", "recovery_s")),
)
"""Ratios are of Yingda to the peer; of a ratio or figure with an interval, its worse end must keep the limit."""

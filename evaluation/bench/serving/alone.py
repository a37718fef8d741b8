"""One repeat of Yingda alone: idle, repeated messages, repeats among fresh ones, overload, and the loops without a server."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import mean
from types import TracebackType
from typing import Any

from evaluation.bench.serving.load import Offer
from evaluation.bench.serving.processes import pinned
from evaluation.bench.serving.roster import ROOT, SERVERS
from evaluation.bench.serving.rounds import Ground
from evaluation.bench.serving.server import Running, ask
from evaluation.bench.serving.traffic import repeating

_OK = 200
_HOT_TEXTS = 50
_REPEATED = 0.6
_ASKERS = 8
_LOOP_MESSAGES = 220
_PROBES_S = 25
_AFTER_S = 4.0
_SLOW_MS = 50.0
_VOLATILE = frozenset({"answer_id", "timing_ms", "stored"})
"""Fields of a reply that differ whenever it is told."""

CUSTOMERS: Sequence[dict[str, Any]] = (
    {},
    {"customer": {"id": "u-1", "name": "王小明", "gender": "male"}, "context": {"订单号": "DD20260001"}},
    {"customer": {"id": "u-2", "name": "李晓红", "gender": "female", "tier": "vip"}, "context": {"订单号": "DD20260002"}},
)


def alone_round(ground: Ground, ours: Running, *, cores: frozenset[int], work: Path, bundle: Path) -> dict[str, Any]:
    """All figures of one repeat, as JSON; ``ours`` was just started."""
    plan, fresh = ground.plan, ground.fresh
    started = {"cold_start_s": ours.cold_start_s, "pss_mib_idle": ours.pss_mib()}
    ground.warm_up(ours)
    idle = ground.load(ours, ours.server.bodies(fresh.take(round(plan.idle_s * plan.idle_rate) + 5)), plan.idle_rate, plan.idle_s)
    repeated = ground.load(ours, ours.server.bodies(fresh.take(1)), 5 * plan.idle_rate, plan.idle_s / 2)
    saturated = ground.saturate(ours, ours.server.bodies(fresh.take(round(1500 * plan.saturate_s))))
    mixed, wrong = _repeats(ground, ours)
    slow_ms = max(_SLOW_MS, 3 * max(idle.due_ms, default=0.0))
    peaks, overloads = [_peak(ground, ours)], dict[str, dict[str, Any]]()
    for factor in plan.factors:
        found = _overload(ground, ours, factor * peaks[-1], slow_ms)
        peaks.append(_peak(ground, ours))
        overloads[str(factor)] = {**found, "peak": mean(peaks[-2:])}
    memory = {"pss_mib": ours.pss_mib()}
    with ours.halted():
        loops = _loops(ours, fresh.take(_LOOP_MESSAGES), cores=cores, work=work, bundle=bundle)
    parts = {"idle": asdict(idle), "repeated": asdict(repeated), "saturated": asdict(saturated), "mixed": asdict(mixed)}
    return {**started, **memory, **parts, "cache": wrong, "overloads": overloads, "loops": loops}


def without_volatile(reply: Any) -> Any:
    """``reply`` without the fields that differ whenever it is told."""
    if isinstance(reply, dict):
        return {name: without_volatile(value) for name, value in reply.items() if name not in _VOLATILE}
    return [without_volatile(value) for value in reply] if isinstance(reply, list) else reply


def _repeats(ground: Ground, ours: Running) -> tuple[Any, dict[str, int]]:
    """Traffic with repeats, saturated; then replies to repeats, asked at once by many, beside those given the first time.

    Every hot text is asked by several customers: a reply cached for one and told to another counts as wrong.
    """
    texts = ground.fresh.take(_HOT_TEXTS)
    hot = [json.dumps({"text": text, **customer}, ensure_ascii=False) for customer, text in product(CUSTOMERS, texts)]
    first = {body: _reply(ours, body) for body in hot}
    fresh = ours.server.bodies(ground.fresh.take(round(1500 * ground.plan.saturate_s)))
    saturated = ground.saturate(ours, repeating(hot, fresh, share=_REPEATED, seed=1))
    asked = repeating(hot, fresh[:200], share=_REPEATED, seed=2)
    with ThreadPoolExecutor(_ASKERS) as pool:
        replies = list(pool.map(lambda body: _reply(ours, body), asked))
    again = [(body, reply) for body, reply in zip(asked, replies, strict=True) if body in first]
    return saturated, {"compared": len(again), "wrong": sum(reply is None or reply != first[body] for body, reply in again)}


def _reply(ours: Running, body: str) -> Any:
    status, _, content = ask(ours.port, ours.server.path, body)
    return without_volatile(json.loads(content)) if status == _OK else None


@dataclass(frozen=True, slots=True)
class Probe:
    """One request beside the load: when it was sent (monotonic), its milliseconds, status, and whether it said when to come again."""

    at: float
    ms: float
    status: int
    retry_after: bool


def answered_at(probes: Sequence[Probe]) -> list[float]:
    """When probes were answered well, in seconds since the epoch."""
    shift = time.time() - time.monotonic()
    return [shift + probe.at + probe.ms / 1000 for probe in probes if probe.status == _OK]


class Probes(AbstractContextManager["Probes"]):
    """Asks at a steady pace in the background, whatever becomes of earlier requests."""

    def __init__(self, ours: Running, bodies: Sequence[str]) -> None:
        self.found: list[Probe] = []
        self._ours, self._bodies = ours, bodies
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Probes:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(128) as pool:
            for body in self._bodies:
                if self._enough.wait(1 / _PROBES_S):
                    break
                pool.submit(self._ask, body)

    def _ask(self, body: str) -> None:
        begun = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self._ours.port, timeout=30)
        status, headers, _ = ask(self._ours.port, self._ours.server.path, body, connection=connection)
        connection.close()
        self.found.append(Probe(begun, 1000 * (time.monotonic() - begun), status, "retry-after" in headers))


def recovery_s(probes: Sequence[Probe], *, end: float, slow_ms: float) -> float:
    """Seconds after ``end`` until the last request that was refused, unanswered, or slower than ``slow_ms`` was sent; 0 where none was."""
    bad = [probe.at for probe in probes if probe.at >= end and (probe.status != _OK or probe.ms > slow_ms)]
    return max(bad, default=end) - end


def _peak(ground: Ground, ours: Running) -> float:
    """Goodput of a server that always has work, and no more than it can do."""
    offer = Offer(ground.plan.saturate_s, connections=ground.plan.connections)
    return ground.generator.offer(offer, ours.url, ours.server.bodies(ground.fresh.take(round(1500 * offer.seconds)))).goodput()


def _overload(ground: Ground, ours: Running, rate: float, slow_ms: float) -> dict[str, Any]:
    seconds = ground.plan.overload_s
    bodies = ours.server.bodies(ground.fresh.take(min(20_000, round(rate * seconds * 1.1))))
    probing = ours.server.bodies(ground.fresh.take(round(_PROBES_S * (seconds + _AFTER_S + 30))))
    with Probes(ours, probing) as probes:
        begun = time.monotonic()
        found = ground.generator.offer(Offer(seconds, rate), ours.url, bodies)
        end = begun + seconds
        threading.Event().wait(max(0.0, end + _AFTER_S - time.monotonic()))
    refusals = [value for times in found.refusals_ms.values() for value in times]
    refused = [probe for probe in probes.found if probe.status not in (_OK, 0)]
    return {
        "rate": rate,
        "goodput": found.goodput(answered_at(probes.found)),
        "refusals": {status: len(times) for status, times in found.refusals_ms.items()},
        "refusals_ms": [round(value, 2) for value in sorted(refusals)[:: max(1, len(refusals) // 400)]],
        "lost": found.lost,
        "probed_refusals": len(refused),
        "without_retry_after": sum(not probe.retry_after for probe in refused),
        "recovery_s": recovery_s(probes.found, end=end, slow_ms=slow_ms),
    }


def _loops(ours: Running, texts: Sequence[str], *, cores: frozenset[int], work: Path, bundle: Path) -> dict[str, float]:
    """CPU milliseconds a message of the bare encoder and of the engine, without HTTP."""
    messages = work / "loop.json"
    messages.write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")
    environment = {**ours.server.environment(work, 0), "PYTHONPATH": str(ROOT)}
    command = [str(ours.server.venv.python(work)), str(SERVERS / "bare_loop.py"), str(bundle), str(messages)]
    with pinned(cores):
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found

"""Prometheus metrics of one app, in a registry of their own; with several processes, what any of them shows is of all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from serving.process_metrics import Mirror, collect_process
from serving.readings import Rise
from yingda.dialogue import Told
from yingda.domain.decision import Answer, Classification
from yingda.domain.identity import ModelIdentity
from yingda.domain.rollout import Arm

# One message takes milliseconds on one core; the default buckets start at 5 ms and would show nothing.
_ENGINE_BUCKETS = (0.0005, 0.001, 0.002, 0.004, 0.006, 0.008, 0.012, 0.02, 0.05, 0.1, 0.5, 1.0)
# Between a rendered reply (tens of microseconds) and the longest wait that is promised by default (a second).
_STAGE_BUCKETS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_HTTP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
Parent = TypeVar("Parent", Counter, Histogram)
SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus_client knows, when it is imported, that processes share a folder of counts."""
_REFRESH_S = 0.5
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
_MOST_CODES = 128
"""Codes of problems that are told apart. All are words of the program, about seventy; a bound costs nothing."""

Kept = Literal["stored", "not_stored", "dry_run", "repeated"]
Of = Literal["livesum", "livemin", "livemax"]
"""What of several processes' gauges is shown: their sum, the least or the greatest."""


class _Series(dict[str | tuple[str, ...], Parent]):
    """The time series of a metric, by the value of its label or the values of its labels, each looked up once."""

    # Parent.labels() checks and converts names and takes a lock every time, which costs more than counting.
    def __init__(self, parent: Parent) -> None:
        super().__init__()
        self._parent: Parent = parent

    def __missing__(self, values: str | tuple[str, ...]) -> Parent:
        # Threads that meet here are given the same series.
        series: Parent = self._parent.labels(*([values] if isinstance(values, str) else values))
        self[values] = series
        return series


class _Together(Collector):
    """What the processes that share ``folder`` counted.

    A file has no length for a moment after it is made, and for good where its process was killed in that moment: prometheus_client
    would fail on it, and it holds nothing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """All metrics; gauges that end meanwhile are passed over."""
        files = [str(path) for path in self._folder.glob("*.db") if _length(path)]
        metrics: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return metrics


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def method_label(method: str) -> str:
    """``method`` where HTTP knows it, else ``other``: anybody can send any word as a method."""
    return method if method in _METHODS else "other"


class Metrics:
    """What the app counts; safe to call from any thread."""

    def __init__(self, identity: ModelIdentity, *, queue_depth: Callable[[], int], queue_age: Callable[[], float] = lambda: 0.0) -> None:
        self._registry = registry = CollectorRegistry()
        self._shared = os.environ.get(SHARED)
        self._readings: list[Callable[[], None]] = []
        self._reading = Lock()
        labels = ("method", "route", "status")
        self._requests = _Series(Counter("yingda_http_requests", "Requests answered.", labels, registry=registry))
        self._seconds = _Series(
            Histogram("yingda_http_request_seconds", "Time to answer.", ("route",), buckets=_HTTP_BUCKETS, registry=registry)
        )
        self.in_flight = Gauge("yingda_http_requests_in_flight", "Requests being answered.", registry=registry, multiprocess_mode="livesum")
        self._stages = _Series(
            Histogram("yingda_engine_stage_seconds", "Engine time a message.", ("stage",), buckets=_ENGINE_BUCKETS, registry=registry)
        )
        self._spent = _Series(
            Histogram("yingda_stage_seconds", "Time around the engine, by stage.", ("stage",), buckets=_STAGE_BUCKETS, registry=registry)
        )
        self._problems = _Series(Counter("yingda_problems", "Requests that ended in a problem, by its code.", ("code",), registry=registry))
        self._codes: set[str] = set()
        refused = "Callers refused for their key or token, by why."
        self._key_refusals = _Series(Counter("yingda_key_refusals", refused, ("reason",), registry=registry))
        self._replies = _Series(Counter("yingda_replies", "Replies told, by what became of their turn.", ("kept",), registry=registry))
        outcomes = "Answers by outcome, and by the arm of the roll-out."
        self._outcomes = _Series(Counter("yingda_outcomes", outcomes, ("outcome", "arm"), registry=registry))
        self._handoffs = _Series(
            Counter("yingda_handoffs", "Answers that call a person, or leave it to one, by reason.", ("reason",), registry=registry)
        )
        blocked = "Replies held back, by the kind of personal data they would have shown."
        self._blocked = _Series(Counter("yingda_replies_blocked", blocked, ("kind",), registry=registry))
        self._decisions = _Series(Counter("yingda_decisions", "Classifications by decision.", ("decision",), registry=registry))
        self.watch("yingda_queue_messages", "Messages that wait for the engine.", queue_depth, of="livesum")
        self.watch("yingda_queue_age_seconds", "How long the oldest of them waits.", queue_age, of="livemax")
        self._model = Gauge(
            "yingda_model_info", "The bundle in use; always 1.", ("version", "sha256"), registry=registry, multiprocess_mode="livemax"
        )
        self._identity = identity
        self.set_model(identity)
        if self._shared:
            self._readings.append(Mirror(registry).read)
        else:
            collect_process(registry)

    def watch(self, name: str, what: str, value: Callable[[], float], *, of: Of) -> None:
        """Show a gauge that ``value`` tells; where processes share counts, as it was within the last half second."""
        gauge = Gauge(name, what, registry=self._registry, multiprocess_mode=of)
        self._readings.append(lambda: gauge.set(value()))

    def watch_count(self, name: str, what: str, value: Callable[[], float]) -> None:
        """Show a counter that rises as ``value`` does, which begins at 0 again where what it tells of was replaced."""
        rise = Rise(Counter(name, what, registry=self._registry))
        self._readings.append(lambda: rise.to(value()))

    @contextmanager
    def refreshed(self) -> Iterator[None]:
        """Keep watched gauges fresh meanwhile for other processes to show, where there are any."""
        if not self._shared:
            yield
            return
        stop = Event()
        thread = Thread(target=self._refresh, args=(stop,), name="metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self._read()  # the last half second counts, too

    def set_model(self, identity: ModelIdentity) -> None:
        """Name the bundle in use."""
        former, self._identity = self._identity, identity
        if former != identity:
            labels = self._model.labels(version=former.version, sha256=former.sha256)
            # a series of a shared folder cannot be taken out of it
            labels.set(0) if self._shared else self._model.remove(former.version, former.sha256)
        self._model.labels(version=identity.version, sha256=identity.sha256).set(1)

    def gather(self, count: Callable[[], None]) -> None:
        """Have ``count`` called before any count is shown, to add what it did not count yet: off the event loop, once at a time."""
        self._readings.append(count)

    def count_request(self, *, method: str, route: str, status: int, seconds: float, times: int = 1) -> None:
        """Count an answered request, or several alike; ``route`` is the template, never the path that was sent."""
        self._requests[method_label(method), route, str(status)].inc(times)
        series = self._seconds[route]
        for _ in range(times):
            series.observe(seconds)

    def count_problem(self, code: str, *, times: int = 1) -> None:
        """Count a request that ended in a problem, or several alike."""
        if code not in self._codes:
            if len(self._codes) >= _MOST_CODES:
                code = "other"
            self._codes.add(code)
        self._problems[code].inc(times)

    def count_key_refusal(self, reason: str) -> None:
        """Count a caller who was refused; ``reason`` is a word of ``serving.auth``."""
        self._key_refusals[reason].inc()

    def spend(self, stage: str, seconds: float) -> None:
        """Count time of a stage around the engine."""
        self._spent[stage].observe(seconds)

    def count_classifications(self, classifications: Iterable[Classification]) -> None:
        """Count decisions and engine time."""
        for classification in classifications:
            self._decisions[classification.decision.value].inc()
            timing = classification.timing
            for stage in ("total", "tokenize", "encode", "decide"):
                self._stages[stage].observe(getattr(timing, stage) / 1000)

    def count_reply(self, told: Told, *, dry_run: bool) -> None:
        """Count what a caller was told; what was told before is no new answer."""
        self._replies[_kept(told, dry_run)].inc()
        if (answer := told.answer) is None:
            return
        arm = told.placement.arm if told.placement else Arm.AUTOMATED
        self._outcomes[answer.outcome.value, arm.value].inc()
        self._count_answer(answer)

    def _count_answer(self, answer: Answer) -> None:
        for reason in answer.handoff.reasons:
            self._handoffs[reason.value].inc()
        for kind in answer.reply.blocked:
            self._blocked[kind].inc()
        self.count_classifications([answer.classification])

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format; it asks everything watched, so call it off the event loop."""
        self._read()
        return generate_latest(self._of_all() if self._shared else self._registry)

    def _of_all(self) -> CollectorRegistry:
        """What the processes counted, together; those that have ended keep their counters and lose their gauges."""
        registry = CollectorRegistry()
        registry.register(_Together(Path(self._shared or "")))
        return registry

    def _refresh(self, stop: Event) -> None:
        while not stop.wait(_REFRESH_S):
            self._read()

    def _read(self) -> None:
        with self._reading:  # counters rise by what is new since the last reading
            for read in self._readings:
                read()


def _kept(told: Told, dry_run: bool) -> Kept:
    if dry_run:
        return "dry_run"
    if told.answer is None:
        return "repeated"
    return "stored" if told.stored else "not_stored"

"""Prometheus metrics of one app, in a registry of their own; with several processes, what any of them shows is of all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from yingda.domain.decision import Answer, Classification
from yingda.domain.identity import ModelIdentity

# One message takes milliseconds on one core; the default buckets start at 5 ms and would show nothing.
_ENGINE_BUCKETS = (0.0005, 0.001, 0.002, 0.004, 0.006, 0.008, 0.012, 0.02, 0.05, 0.1, 0.5, 1.0)
_HTTP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
Parent = TypeVar("Parent", Counter, Histogram)
SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus_client knows, when it is imported, that processes share a folder of counts."""
_REFRESH_S = 0.5
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})


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


class Metrics:
    """What the app counts; safe to call from any thread."""

    def __init__(self, identity: ModelIdentity, *, queue_depth: Callable[[], int], queue_age: Callable[[], float] = lambda: 0.0) -> None:
        self._registry = registry = CollectorRegistry()
        self._shared = os.environ.get(SHARED)
        self._watched: list[tuple[Gauge, Callable[[], float]]] = []
        labels = ("method", "route", "status")
        self._requests = _Series(Counter("yingda_http_requests", "Requests answered.", labels, registry=registry))
        self._seconds = _Series(
            Histogram("yingda_http_request_seconds", "Time to answer.", ("route",), buckets=_HTTP_BUCKETS, registry=registry)
        )
        self.in_flight = Gauge("yingda_http_requests_in_flight", "Requests being answered.", registry=registry, multiprocess_mode="livesum")
        self._stages = _Series(
            Histogram("yingda_engine_stage_seconds", "Engine time a message.", ("stage",), buckets=_ENGINE_BUCKETS, registry=registry)
        )
        self._outcomes = _Series(Counter("yingda_outcomes", "Answers by outcome.", ("outcome",), registry=registry))
        self._handoffs = _Series(
            Counter("yingda_handoffs", "Answers that call a person, or leave it to one, by reason.", ("reason",), registry=registry)
        )
        blocked = "Replies held back, by the kind of personal data they would have shown."
        self._blocked = _Series(Counter("yingda_replies_blocked", blocked, ("kind",), registry=registry))
        self._decisions = _Series(Counter("yingda_decisions", "Classifications by decision.", ("decision",), registry=registry))
        queue = Gauge("yingda_queue_messages", "Messages that wait for the engine.", registry=registry, multiprocess_mode="livesum")
        self.watch(queue, queue_depth)
        age = Gauge("yingda_queue_age_seconds", "How long the oldest of them waits.", registry=registry, multiprocess_mode="livemax")
        self.watch(age, queue_age)
        self._model = Gauge(
            "yingda_model_info", "The bundle in use; always 1.", ("version", "sha256"), registry=registry, multiprocess_mode="livemax"
        )
        self._identity = identity
        self.set_model(identity)
        self._failing = Gauge(
            "yingda_bundle_failing", "1 while the bundle on the disk is refused.", registry=registry, multiprocess_mode="livemax"
        )

    def watch_bundle(self, is_failing: Callable[[], bool]) -> None:
        """Show whether the bundle on the disk is refused."""
        self.watch(self._failing, is_failing)

    def watch(self, gauge: Gauge, function: Callable[[], float]) -> None:
        """Let ``gauge`` show what ``function`` says; where processes share counts, as it was within the last half second."""
        if self._shared:
            self._watched.append((gauge, function))
        else:
            gauge.set_function(function)

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

    def set_model(self, identity: ModelIdentity) -> None:
        """Name the bundle in use."""
        former, self._identity = self._identity, identity
        if former != identity:
            labels = self._model.labels(version=former.version, sha256=former.sha256)
            # a series of a shared folder cannot be taken out of it
            labels.set(0) if self._shared else self._model.remove(former.version, former.sha256)
        self._model.labels(version=identity.version, sha256=identity.sha256).set(1)

    def count_request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; ``route`` is the template, never the path that was sent."""
        known = method if method in _METHODS else "other"
        self._requests[known, route, str(status)].inc()
        self._seconds[route].observe(seconds)

    def count_classifications(self, classifications: Iterable[Classification]) -> None:
        """Count decisions and engine time."""
        for classification in classifications:
            self._decisions[classification.decision.value].inc()
            timing = classification.timing
            for stage in ("total", "tokenize", "encode", "decide"):
                self._stages[stage].observe(getattr(timing, stage) / 1000)

    def count_answers(self, answers: Iterable[Answer]) -> None:
        """Count outcomes, and the classifications inside."""
        for answer in answers:
            self._outcomes[answer.outcome.value].inc()
            for reason in answer.handoff.reasons:
                self._handoffs[reason.value].inc()
            for kind in answer.reply.blocked:
                self._blocked[kind].inc()
            self.count_classifications([answer.classification])

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._of_all() if self._shared else self._registry)

    def _of_all(self) -> CollectorRegistry:
        """What the processes counted, together; those that have ended keep their counters and lose their gauges."""
        self._read_watched()
        registry = CollectorRegistry()
        MultiProcessCollector(registry, self._shared)  # type: ignore[no-untyped-call]
        return registry

    def _refresh(self, stop: Event) -> None:
        while not stop.wait(_REFRESH_S):
            self._read_watched()

    def _read_watched(self) -> None:
        for gauge, function in self._watched:
            gauge.set(function())

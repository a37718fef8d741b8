"""Prometheus metrics of one app, in a registry of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from yingda.domain.decision import Answer, Classification
from yingda.domain.identity import ModelIdentity

# One message takes milliseconds on one core; the default buckets start at 5 ms and would show nothing.
_ENGINE_BUCKETS = (0.0005, 0.001, 0.002, 0.004, 0.006, 0.008, 0.012, 0.02, 0.05, 0.1, 0.5, 1.0)
_HTTP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
Parent = TypeVar("Parent", Counter, Histogram)
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
        labels = ("method", "route", "status")
        self._requests = _Series(Counter("yingda_http_requests", "Requests answered.", labels, registry=registry))
        self._seconds = _Series(
            Histogram("yingda_http_request_seconds", "Time to answer.", ("route",), buckets=_HTTP_BUCKETS, registry=registry)
        )
        self.in_flight = Gauge("yingda_http_requests_in_flight", "Requests being answered.", registry=registry)
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
        queue = Gauge("yingda_queue_messages", "Messages that wait for the engine.", registry=registry)
        queue.set_function(queue_depth)
        age = Gauge("yingda_queue_age_seconds", "How long the oldest of them waits.", registry=registry)
        age.set_function(queue_age)
        model = Gauge("yingda_model_info", "The bundle in use; always 1.", ("version", "sha256"), registry=registry)
        model.labels(version=identity.version, sha256=identity.sha256).set(1)

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
        return generate_latest(self._registry)

"""Where the time of a batch goes: counted for everybody, and told to the traces of those requests that are traced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import local

from serving.queue import Batch, Chore
from serving.trace import Mark, Trace
from yingda.domain.decision import Timing

ENGINE = "engine"
"""The engine's own time, which has a histogram a message of its own (``Metrics.count_classifications``)."""

_UNTRACED = nullcontext()

Spend = Callable[[str, float], None]
"""Counts seconds of a stage."""


class _Marks(local):
    """What the batch of this thread has come through; None while nobody in it is traced."""

    now: list[Mark] | None = None


class Stages:
    """Told by those who work on a batch, on the thread that does; costs a clock's reading and a count where nobody is traced."""

    def __init__(self, spend: Spend) -> None:
        self._spend, self._marks = spend, _Marks()

    def spent(self, stage: str, started: int, ended: int) -> None:
        """A stage of the batch took from ``started`` to ``ended`` (time.perf_counter_ns)."""
        if stage != ENGINE:
            self._spend(stage, (ended - started) / 1e9)
        if (marks := self._marks.now) is not None:
            marks.append(Mark(stage, started, ended))

    def timed(self, timings: Sequence[Timing]) -> None:
        """What the engine says of its time for each message of the batch: a note on the last stage of the engine."""
        marks = self._marks.now
        last = next((mark for mark in reversed(marks) if mark.stage == ENGINE), None) if marks else None
        if last is not None:
            for name in ("tokenize", "encode", "decide"):
                last.facts[f"yingda.{name}_ms"] = round(sum(getattr(each, name) for each in timings), 3)

    def batch(self, batch: Batch, now: float) -> AbstractContextManager[None]:
        """The batch is worked on meanwhile, from ``now`` on (the clock of its queue)."""
        traced = self._waited(batch, now)
        return self._watched(traced, len(batch)) if traced else _UNTRACED

    @contextmanager
    def _watched(self, traced: Sequence[Trace], messages: int) -> Iterator[None]:
        marks: list[Mark] = []
        self._marks.now = marks
        # spans tell the time of day, stages are measured by a clock that nobody sets
        epoch = time.time_ns() - time.perf_counter_ns()
        try:
            yield
        finally:
            self._marks.now = None
            for trace in traced:
                trace.add(marks, epoch=epoch, messages=messages)

    def _waited(self, batch: Batch, now: float) -> list[Trace]:
        """Count how long each request of the batch waited for its first part; those that are traced."""
        traced = []
        for portion in batch.portions:
            job, trace = portion.job, portion.job.trace
            waited = now - job.arrived
            if not portion.start and not isinstance(job.calls[0], Chore):
                self._spend("queue", waited)
            if trace is not None:
                if not portion.start:
                    trace.waited(waited)
                traced.append(trace)
        return traced

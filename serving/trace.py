"""The trace of a request as those see it who work on it; what becomes of it is in ``serving.tracing``."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mark:
    """A stage of the work, from ``started`` to ``ended`` (time.perf_counter_ns), and ``facts`` in numbers about it."""

    stage: str
    started: int
    ended: int
    facts: dict[str, float] = field(default_factory=dict)


class Trace(Protocol):
    """One request that is traced."""

    def waited(self, seconds: float) -> None:
        """It waited so long for the engine, until now."""

    def add(self, marks: Sequence[Mark], *, epoch: int, messages: int) -> None:
        """Its batch of ``messages`` came through these stages; ``epoch`` plus their time is nanoseconds since 1970."""


current: ContextVar[Trace | None] = ContextVar("yingda_trace", default=None)
"""The trace of the request that is being served; None for most."""

"""How long an evaluation takes, by part: it must stay short enough to be run on every change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter, process_time
from types import MappingProxyType

WHOLE = "whole"
"""Name of the time from the first file read to the last gate."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds by the clock, and of CPU time of the process, all its threads together."""

    wall_s: float
    cpu_s: float


@dataclass(slots=True)
class Stopwatch:
    """Counts from its making; ``clock`` and ``cpu`` count seconds."""

    clock: Clock = perf_counter
    cpu: Clock = process_time
    _start: tuple[float, float] = field(init=False)
    _parts: dict[str, Took] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._start = self._now()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Counts what is done inside for ``name``."""
        start = self._now()
        yield
        self._parts[name] = self._since(start)

    def read(self) -> Mapping[str, Took]:
        """The whole so far, then every part in order; what no part counts is in the whole alone."""
        return MappingProxyType({WHOLE: self._since(self._start), **self._parts})

    def _now(self) -> tuple[float, float]:
        return self.clock(), self.cpu()

    def _since(self, start: tuple[float, float]) -> Took:
        wall, cpu = self._now()
        return Took(wall - start[0], cpu - start[1])

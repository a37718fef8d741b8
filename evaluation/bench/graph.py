"""A graph search alone, over more entries than the whole index is measured with; its build goes on where it was cut off."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from numpy.typing import NDArray

from evaluation.bench.beside import recall, summary, times_in_turn
from yingda.retrieve.neighbours import ExactNeighbours, GraphNeighbours

Floats = NDArray[np.float32]
STEP = 50_000
"""Vectors added between two savings."""


@dataclass(frozen=True)
class Settings:
    """What a graph is built with; a graph kept on disk goes on only with the same."""

    entries: int
    noise: float
    connectivity: int
    expansion_add: int

    @property
    def name(self) -> str:
        """Stem of the files that keep such a graph."""
        return f"graph-{self.entries}-{self.noise}-{self.connectivity}-{self.expansion_add}"


@dataclass(frozen=True)
class Built:
    """A graph, its file, and what it took, cut-off attempts up to their last saving included; seconds."""

    neighbours: GraphNeighbours
    path: Path
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Alone:
    """Figures of a graph; times in microseconds are least, median and 95th percentile of a message, others in seconds and MiB.

    ``graph_mib`` is the file, ``memory_mib`` what usearch holds of it; vectors are counted apart.
    """

    entries: int
    connectivity: int
    expansion_add: int
    expansion_search: int
    top: int
    recall: float
    graph_us: tuple[float, float, float]
    exact_us: tuple[float, float]
    build_s: float
    build_cpu_s: float
    graph_mib: float
    vectors_mib: float
    memory_mib: float


def say(line: str) -> None:
    """Progress, on standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def grow(vectors: Floats, settings: Settings, folder: Path, *, threads: int, step: int = STEP, tell: Callable[[str], None] = say) -> Built:
    """The graph over unit ``vectors`` [M, D], saved in ``folder`` after each ``step`` and taken up from there.

    The time of saving is no part of the time of building.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept, notes = folder / f"{settings.name}.usearch", folder / f"{settings.name}.json"
    seconds = cpu = 0.0
    graph = GraphNeighbours.build(vectors[:1], connectivity=settings.connectivity, expansion_add=settings.expansion_add).graph
    if notes.exists():
        seconds, cpu = json.loads(notes.read_text("utf-8"))
        graph.load(str(kept))
    while len(graph) < len(vectors):
        rows = slice(len(graph), min((len(graph) // step + 1) * step, len(vectors)))
        wall, processor = perf_counter(), process_time()
        graph.add(np.arange(rows.start, rows.stop, dtype=np.uint64), vectors[rows], threads=threads)
        seconds, cpu = seconds + perf_counter() - wall, cpu + process_time() - processor
        _keep(kept, graph.save)  # the graph first, so that no time is told of what is not there
        _keep(notes, partial(Path.write_text, data=json.dumps([seconds, cpu]), encoding="utf-8"))
        tell(f"{len(graph):,} of {len(vectors):,} vectors in the graph; {seconds:.0f} s, {cpu:.0f} s of processor")
    return Built(GraphNeighbours(vectors, graph), kept, round(seconds, 1), round(cpu, 1))


def _keep(path: Path, save: Callable[[Path], object]) -> None:
    """Let ``save`` write, and put it at ``path`` in one step."""
    part = path.with_suffix(path.suffix + ".part")
    save(part)
    part.replace(path)


def measure_alone(
    built: Built, vectors: Floats, messages: Floats, settings: Settings, *, tops: tuple[int, ...], expansions: tuple[int, ...], rounds: int
) -> list[Alone]:
    """Time and recall of the graph for each number of neighbours asked for and of nodes weighed in a search."""
    exact, graph = ExactNeighbours(vectors), built.neighbours
    truth = exact.search(messages, max(tops))[0]
    exact_us = summary(times_in_turn([partial(exact.search, k=max(tops))], messages)[0])
    rows = []
    for expansion in expansions:
        graph.graph.expansion_search = expansion
        for top in tops:
            times = times_in_turn([partial(graph.search, k=top)], messages, rounds=rounds)[0]
            found = recall(truth[:, :top], graph.search(messages, top)[0])
            us = (*summary(times), round(float(np.quantile(times, 0.95)), 1))
            rows.append(
                Alone(
                    settings.entries,
                    settings.connectivity,
                    settings.expansion_add,
                    expansion,
                    top,
                    found,
                    us,
                    exact_us,
                    built.seconds,
                    built.cpu_seconds,
                    _mib(built.path.stat().st_size),
                    _mib(vectors.nbytes),
                    _mib(graph.graph.memory_usage),
                )
            )
    return rows


def _mib(size: float) -> float:
    return round(size / 2**20, 1)

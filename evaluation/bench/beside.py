"""Our searches beside those of libraries that do the same, message by message in turns: faiss's flat index and hnswlib.

Neither is a dependency: what cannot be imported is skipped, and the report says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yingda.retrieve.neighbours import CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH, ExactNeighbours, GraphNeighbours

Floats = NDArray[np.float32]
Times = NDArray[np.float64]
Find = Callable[[Floats, int], NDArray[Any]]
"""One unit vector [1, D] and k in, the numbers [1, k] of the nearest out."""

TOPS = (10, 64)
"""Neighbours asked for: as recall is usually told, and as the engine asks."""

ROUNDS = 5
DRAWS = 2_000
SEED = 7


@dataclass(frozen=True)
class Library:
    """A search of another library: what it is compared with, how it is imported, and how it is built over unit vectors [M, D]."""

    name: str
    ours: str
    module: str
    package: str
    build: Callable[[Any, Floats], Find]


@dataclass(frozen=True)
class Beside:
    """One of our searches and another library's on the same messages; microseconds are least and median of a message.

    ``ratio`` is of the medians, ours by theirs, with its 95 % interval; recalls are shares of the true ``top``.
    """

    entries: int
    top: int
    ours: str
    other: str
    ours_us: tuple[float, float]
    other_us: tuple[float, float]
    ratio: float
    ratio_low: float
    ratio_high: float
    ours_recall: float
    other_recall: float


def flat(faiss: Any, vectors: Floats) -> Find:
    """faiss's exact search by inner product, on one thread."""
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return lambda vector, k: np.asarray(index.search(vector, k)[1])


def hnsw(hnswlib: Any, vectors: Floats) -> Find:
    """hnswlib's graph, on one thread, built and searched with our numbers of links and of nodes weighed."""
    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), M=CONNECTIVITY, ef_construction=EXPANSION_ADD, random_seed=SEED)
    index.set_num_threads(1)
    index.add_items(vectors, num_threads=1)
    index.set_ef(EXPANSION_SEARCH)
    return lambda vector, k: np.asarray(index.knn_query(vector, k, num_threads=1)[0])


LIBRARIES = (
    Library("faiss flat", "exact", "faiss", "faiss-cpu", flat),
    Library("hnswlib", "graph", "hnswlib", "hnswlib", hnsw),
)


def available(libraries: Sequence[Library] = LIBRARIES) -> tuple[dict[str, Any], dict[str, str]]:
    """Modules by the library's name, and why the others are not there."""
    modules: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for library in libraries:
        try:
            modules[library.name] = import_module(library.module)
        except ImportError as error:
            missing[library.name] = (
                f"not measured: {library.module} cannot be imported ({type(error).__name__}); pip install {library.package}"
            )
    return modules, missing


@dataclass(frozen=True)
class Trial:
    """What is searched, for what, and how often each message is timed; ``graph`` where there is one."""

    vectors: Floats
    messages: Floats
    graph: GraphNeighbours | None
    rounds: int = ROUNDS
    clock: Callable[[], float] = perf_counter

    def compare(self, modules: Mapping[str, Any], *, libraries: Sequence[Library] = LIBRARIES, tops: Sequence[int] = TOPS) -> list[Beside]:
        """Each of ``libraries`` that is there beside the search of ours that does the same."""
        exact, graph = ExactNeighbours(self.vectors), self.graph
        own: dict[str, Find] = {"exact": lambda vector, k: exact.search(vector, k)[0]}
        if graph is not None:
            own["graph"] = lambda vector, k: graph.search(vector, k)[0]
        rows = []
        for library in libraries:
            if library.name in modules and library.ours in own:
                other = library.build(modules[library.name], self.vectors)
                rows += [self._beside(library, own[library.ours], other, exact.search(self.messages, top)[0]) for top in tops]
        return rows

    def _beside(self, library: Library, ours: Find, other: Find, truth: NDArray[np.intp]) -> Beside:
        top = truth.shape[1]
        calls = [lambda vector: ours(vector, top), lambda vector: other(vector, top)]
        times = times_in_turn(calls, self.messages, rounds=self.rounds, clock=self.clock)
        found = [recall(truth, np.concatenate([find(message[None], top) for message in self.messages])) for find in (ours, other)]
        name = f"{library.name} {_version(library.package)}".strip()
        measured = summary(times[0]), summary(times[1]), *ratio_of_medians(*times)
        return Beside(len(self.vectors), top, library.ours, name, *measured, *found)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def times_in_turn(
    calls: Sequence[Callable[[Floats], object]], messages: Floats, *, rounds: int = 1, clock: Callable[[], float] = perf_counter
) -> Times:
    """Microseconds [calls, N] of each message, the least of ``rounds``; who comes first changes from turn to turn."""
    spent = np.full((len(calls), len(messages)), np.inf)
    for turn in range(rounds):
        for number in range(len(messages)):
            message = messages[number : number + 1]
            for step in range(len(calls)):
                place = (step + turn + number) % len(calls)
                start = clock()
                calls[place](message)
                spent[place, number] = min(spent[place, number], 1e6 * (clock() - start))
    return spent


def summary(times: Times) -> tuple[float, float]:
    """Least and median."""
    return round(float(times.min()), 1), round(float(np.median(times)), 1)


def ratio_of_medians(ours: Times, other: Times, *, draws: int = DRAWS, seed: int = SEED) -> tuple[float, float, float]:
    """Median of ``ours`` [N] by that of ``other`` [N], and its 95 % percentile bootstrap interval over messages, drawn in pairs.

    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    drawn = np.random.default_rng(seed).integers(0, len(ours), (draws, len(ours)))
    ratios = np.median(ours[drawn], axis=1) / np.median(other[drawn], axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return round(float(np.median(ours) / np.median(other)), 3), round(float(low), 3), round(float(high), 3)


def recall(truth: NDArray[Any], found: NDArray[Any]) -> float:
    """Mean share of the true neighbours [N, k] among those ``found`` [N, k]."""
    return round(float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(truth.tolist(), found.tolist(), strict=True)])), 4)

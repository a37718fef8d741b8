"""The entries nearest to a message by cosine: exact up to ``EXACT_SEARCH`` vectors, an HNSW graph beyond.

HNSW: Malkov and Yashunin (2020), "Efficient and robust approximate nearest neighbor search using Hierarchical
Navigable Small World graphs", as implemented by usearch.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from yingda.domain.errors import BundleError

EXACT_SEARCH = 50_000
"""Vectors up to which every cosine is computed."""

CONNECTIVITY = 16
"""Links a node keeps in the graph."""

EXPANSION_ADD = 128
"""Nodes weighed while a vector is added; more make a better graph and a slower build."""

EXPANSION_SEARCH = 128
"""Nodes weighed in a search; more find more of the true neighbours and take longer."""

_ROWS = 16
"""Rows that scores are laid out in to take the largest of each column; from 8 to 64 the time is much the same."""

_FEW = 64
"""Scores up to which all are sorted at once."""

_LINE = 64
"""Bytes of a line of the cache."""

Index = Any
"""A usearch index; the library is typed loosely and loaded late."""

Found = tuple[NDArray[np.intp], NDArray[np.float32]]
"""Numbers [N, k] and cosines [N, k], best first; equal cosines in the order of the numbers."""


class Neighbours(Protocol):
    """Nearest vectors among M unit vectors."""

    def search(self, vectors: NDArray[np.float32], k: int) -> Found:
        """The ``min(k, M)`` nearest to each of the unit ``vectors`` [N, D]; k is at least 1."""


def largest(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Places of the ``k`` largest of ``scores`` [M], best first; of equal ones the lower place comes first."""
    columns = len(scores) // _ROWS
    if columns <= k:
        return _largest(scores, k)
    maxima = np.maximum.reduce(scores[: columns * _ROWS].reshape(_ROWS, columns))
    maxima.partition(columns - k)
    # k scores reach the k-th largest maximum, so the k largest do
    places: NDArray[np.intp] = (scores >= maxima[columns - k]).nonzero()[0]
    return places[_largest(scores[places], k)]


def _largest(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """``largest`` without a first choice; a few are sorted as they are."""
    if len(scores) <= max(k, _FEW):
        return (-scores).argsort(kind="stable")[:k]
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    places: NDArray[np.intp] = (scores >= least).nonzero()[0]  # all that tie with the last, so that the choice is no accident
    return places[(-scores[places]).argsort(kind="stable")[:k]]


def aligned(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """``vectors`` where they begin at a multiple of 64 bytes, else a copy that does.

    A dot product of rows that lie across lines of the cache reads each line twice: a fifth more time.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    if not vectors.ctypes.data % _LINE:
        return vectors
    room = np.empty(vectors.nbytes + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    copy = room[start : start + vectors.nbytes].view(np.float32).reshape(vectors.shape)
    copy[...] = vectors
    return copy


class ExactNeighbours:
    """Every cosine is computed: one dot product a vector, on one thread whatever the BLAS would use."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._vectors = aligned(vectors)

    def search(self, vectors: NDArray[np.float32], k: int) -> Found:
        """As ``Neighbours.search``; a message fares alone as in a batch."""
        return stacked([self._row(vector, k) for vector in vectors])

    def _row(self, vector: NDArray[np.float32], k: int) -> Found:
        cosines = np.vecdot(self._vectors, vector)
        found = largest(cosines, k)
        return found, cosines[found]


def stacked(rows: Sequence[Found]) -> Found:
    """What was found for each of several messages, in one pair of arrays; one message alone is spared the copy."""
    if len(rows) == 1:
        return rows[0][0][None], rows[0][1][None]
    return np.stack([ids for ids, _ in rows]), np.stack([cosines for _, cosines in rows])


class GraphNeighbours:
    """An HNSW graph over float16 copies; cosines of what it finds are computed again in float32."""

    def __init__(self, vectors: NDArray[np.float32], graph: Index) -> None:
        if (len(graph), graph.ndim) != vectors.shape:
            raise ValueError("the graph is of other vectors")
        self._vectors = vectors
        self._graph = graph

    @classmethod
    def open(cls, vectors: NDArray[np.float32], path: Path) -> GraphNeighbours:
        """The graph that usearch saved at ``path``, mapped into memory; raises ValueError where it is of other vectors."""
        graph = _load_usearch().restore(str(path), view=True)
        if graph is None:
            raise ValueError("this is no graph")
        graph.expansion_search = EXPANSION_SEARCH  # the file does not tell it
        return cls(vectors, graph)

    @classmethod
    def build(
        cls,
        vectors: NDArray[np.float32],
        *,
        threads: int = 1,
        dtype: str = "f16",
        connectivity: int = CONNECTIVITY,
        expansion_add: int = EXPANSION_ADD,
        expansion_search: int = EXPANSION_SEARCH,
    ) -> GraphNeighbours:
        """The graph over unit ``vectors`` [M, D]; on one thread the same vectors give the same graph."""
        graph = _load_usearch()(
            ndim=vectors.shape[1],
            metric="cos",
            dtype=dtype,
            connectivity=connectivity,
            expansion_add=expansion_add,
            expansion_search=expansion_search,
        )
        graph.add(np.arange(len(vectors), dtype=np.uint64), vectors, threads=threads)
        return cls(vectors, graph)

    @property
    def graph(self) -> Index:
        """The usearch index, for saving."""
        return self._graph

    def search(self, vectors: NDArray[np.float32], k: int) -> Found:
        """As ``Neighbours.search``, but a few of the true neighbours may be missing."""
        return stacked([self._row(vector, min(k, len(self._vectors))) for vector in vectors])

    def _row(self, vector: NDArray[np.float32], k: int) -> Found:
        found = np.sort(self._graph.search(vector, k, threads=1).keys.astype(np.intp))
        cosines = np.vecdot(self._vectors[found], vector)
        order = np.argsort(-cosines, kind="stable")
        return found[order], cosines[order]


def build_neighbours(vectors: NDArray[np.float32], *, exact: int = EXACT_SEARCH, threads: int = 1) -> Neighbours:
    """The search that fits the number of unit ``vectors`` [M, D]: exact up to ``exact`` of them, else a graph."""
    if len(vectors) <= exact:
        return ExactNeighbours(vectors)
    return GraphNeighbours.build(vectors, threads=threads)


def most_entries() -> int | None:
    """Entries that can be searched here: up to ``EXACT_SEARCH`` without the library of graphs; None for any number."""
    return None if find_spec("usearch") else EXACT_SEARCH


def _load_usearch() -> Any:
    """The index class of usearch, loaded where a space needs a graph.

    onnxruntime has to be in the process first: imported after usearch 2.26 it ends the process.
    """
    import_module("yingda.runtime")
    try:
        return import_module("usearch.index").Index
    except ModuleNotFoundError:
        raise BundleError("more than 50,000 entries need a graph to search; run `pip install 'yingda[scale]'`") from None

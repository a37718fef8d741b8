"""Split rows so that near-duplicates never stand on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import TfidfVectorizer

_BLOCK = 2000
"""Rows compared at once: bounds the memory of the similarity product."""


@dataclass(frozen=True)
class Split:
    """Row indices of each part, ascending and disjoint."""

    fit: NDArray[np.intp]
    select: NDArray[np.intp]
    calibrate: NDArray[np.intp]


def near_duplicate_groups(texts: Sequence[str], *, threshold: float) -> NDArray[np.int32]:
    """A group number for each text; texts whose character bigrams have cosine above ``threshold`` share one."""
    grams = TfidfVectorizer(analyzer="char", ngram_range=(2, 2)).fit_transform([f" {text} " for text in texts])
    rows, columns = [], []
    for start in range(0, len(texts), _BLOCK):
        similar = coo_matrix(grams[start : start + _BLOCK] @ grams.T)
        close = similar.data > threshold
        rows.append(similar.row[close] + start)
        columns.append(similar.col[close])
    first, second = np.concatenate(rows), np.concatenate(columns)
    graph = csr_matrix((np.ones(len(first), np.int8), (first, second)), shape=(len(texts), len(texts)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int32)


def split_rows(groups: NDArray[np.int32], labels: Sequence[str], *, select: float, calibrate: float, seed: int) -> Split:
    """Deal whole groups to the parts, label by label, so that every label keeps its share in each part.

    A group belongs to the label of its first row. ``select`` and ``calibrate`` are shares of all rows.
    """
    generator = np.random.default_rng(seed)
    first_row = {int(group): row for row, group in reversed(list(enumerate(groups)))}
    members: dict[str, list[int]] = {}
    for group, row in sorted(first_row.items()):
        members.setdefault(labels[row], []).append(group)
    where = np.zeros(int(groups.max()) + 1, np.int8)
    for label in sorted(members):
        order = generator.permutation(np.asarray(members[label]))
        # a random offset keeps the shares right on average for labels with few groups
        position = (np.arange(len(order)) + generator.random()) / len(order)
        where[order[position % 1.0 < select]] = 1
        where[order[(position % 1.0 >= select) & (position % 1.0 < select + calibrate)]] = 2
    part = where[groups]
    return Split(*(np.flatnonzero(part == wanted) for wanted in range(3)))

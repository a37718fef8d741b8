"""What to label next: log messages that would teach most, and entries with the fewest or weakest messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.neighbors import NearestNeighbors

from training.audit.crossfit import CrossFit
from training.audit.labels import forgiving, quality
from training.audit.opinions import Opinion
from training.audit.rows import AuditRow
from yingda.domain.knowledge import FaqEntry

_NEIGHBOURS = 10
_POOL = 10
"""The spread is sought among this many times the messages wanted: a lone oddity outside is no use, however far away."""
_SURE = 0.8
"""A message with a known label is worth another look only below this margin."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A log message to label; ``uncertainty`` and ``density`` in [0, 1], ``score`` their product, ``guess`` to correct."""

    row: int
    guess: str
    uncertainty: float
    density: float
    score: float


@dataclass(frozen=True, slots=True)
class Strength:
    """How well an entry is taught: its messages, and the shares of them found again and led by their label out of fold."""

    entry: str
    messages: int
    recall: float
    quality: float


def wanted(rows: Sequence[AuditRow], features: csr_matrix, fit: CrossFit, opinions: Mapping[int, Opinion], *, count: int) -> list[Wanted]:
    """At most ``count`` log rows without a known entry or with little certainty, in the order to label them.

    Uncertainty times density (Settles and Craven 2008) makes the pool; greedy k-centre (Sener and Savarese 2018,
    arXiv:1708.00489), distances weighted by that score, spreads the choice. Copies of one text enter once.
    """
    margins = {number: _margin(number, fit, opinions) for number, row in enumerate(rows) if row.is_log}
    open_rows = {rows[n].plain: n for n in reversed(margins) if rows[n].label is None or margins[n] < _SURE}
    numbers = np.asarray(sorted(open_rows.values()), np.intp)
    if not len(numbers):
        return []
    density = _density(features[numbers])
    uncertainty = np.asarray([1.0 - margins[int(n)] for n in numbers])
    score = uncertainty * density
    pool = np.argsort(-score, kind="stable")[: count * _POOL]
    order = pool[_spread(features[numbers[pool]], score[pool], count)]
    return [
        Wanted(n, _guess(n, fit, opinions), round(float(uncertainty[i]), 4), round(float(density[i]), 4), round(float(score[i]), 4))
        for i, n in ((i, int(numbers[i])) for i in order)
    ]


def strengths(rows: Sequence[AuditRow], fit: CrossFit, entries: Mapping[str, FaqEntry]) -> list[Strength]:
    """Every entry, weakest first: least found again, then fewest messages."""
    column = fit.number()
    probabilities = forgiving(rows, fit)
    known = [number for number, row in enumerate(rows) if row.label is not None]
    labels = np.asarray([column[str(rows[number].label)] for number in known])
    scores, found = quality(labels, probabilities[known]), probabilities[known].argmax(1) == labels
    result = []
    for entry in entries:
        own = labels == column[entry]
        count = int(own.sum())
        recall, mean = (float(found[own].mean()), float(scores[own].mean())) if count else (0.0, 0.0)
        result.append(Strength(entry, count, round(recall, 4), round(mean, 4)))
    return sorted(result, key=lambda strength: (strength.recall, strength.messages, strength.entry))


def _margin(number: int, fit: CrossFit, opinions: Mapping[int, Opinion]) -> float:
    if number in opinions:
        return opinions[number].margin
    second, first = np.partition(fit.probabilities[number], -2)[-2:]
    return float(first - second)


def _guess(number: int, fit: CrossFit, opinions: Mapping[int, Opinion]) -> str:
    return opinions[number].label if number in opinions else fit.classes[int(fit.probabilities[number].argmax())]


def _density(features: csr_matrix) -> NDArray[np.float64]:
    """Mean cosine of each row with its nearest others, [N] in [0, 1]: high where many customers write alike."""
    neighbours = min(_NEIGHBOURS, features.shape[0] - 1)
    if neighbours < 1:
        return np.ones(features.shape[0])
    finder = NearestNeighbors(n_neighbors=neighbours, metric="cosine", algorithm="brute").fit(features)
    distances, _ = finder.kneighbors()
    return np.asarray(np.clip(1.0 - distances.mean(1), 0.0, 1.0), np.float64)


def _spread(features: csr_matrix, score: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Positions chosen one by one: each the highest score times distance to the nearest one already chosen."""
    chosen = [0]
    distance = np.ones(features.shape[0])
    while len(chosen) < min(count, features.shape[0]):
        similar = (features @ features[[chosen[-1]]].T).toarray().ravel()
        distance = np.minimum(distance, 1.0 - similar)
        distance[chosen[-1]] = -1.0
        value = np.where(distance < 0, -1.0, distance * score)
        chosen.append(int(value.argmax()))
    return np.asarray(chosen, np.intp)

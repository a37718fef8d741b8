"""Pairs of texts that are nearly the same, by the measure of the training split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

_BLOCK = 2000
"""Rows compared at once: bounds the memory of the similarity product."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two positions in a list of texts, ``first`` below ``second``, and the cosine of their character bigrams."""

    first: int
    second: int
    cosine: float


def similar_pairs(texts: Sequence[str], *, threshold: float) -> list[Pair]:
    """All pairs with a cosine above ``threshold`` (more than 0), closest first; bigrams as in training/split.py."""
    grams = csr_matrix(TfidfVectorizer(analyzer="char", ngram_range=(2, 2), dtype=np.float32).fit_transform([f" {t} " for t in texts]))
    pairs = []
    for start in range(0, len(texts), _BLOCK):
        found = coo_matrix(grams[start : start + _BLOCK] @ grams.T)
        close = (found.data > threshold) & (found.row + start < found.col)
        pairs += [
            Pair(int(row) + start, int(column), round(min(float(cosine), 1.0), 4))
            for row, column, cosine in zip(found.row[close], found.col[close], found.data[close], strict=True)
        ]
    return sorted(pairs, key=lambda pair: (-pair.cosine, pair.first, pair.second))

"""The FAQ index: one unit vector a match class, and BM25 over the entries' wordings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import bm25s
import numpy as np
from numpy.typing import NDArray

from yingda.domain.knowledge import FaqEntry
from yingda.retrieve.space import MatchSpace

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Normalised texts in, unit embeddings [N, D] out."""


def bigrams(text: str) -> list[str]:
    """Character bigrams in lower case: the unit of lexical search in unsegmented Chinese."""
    lower = text.lower()
    return [lower[i : i + 2] for i in range(len(lower) - 1)] or [lower]


class FaqIndex:
    """Similarities of messages to every match class; immutable, so threads share it freely."""

    def __init__(self, space: MatchSpace, vectors: NDArray[np.float32], wordings: Mapping[str, Sequence[str]]) -> None:
        self.space = space
        self._vectors = vectors
        documents = [(number, text) for number, entry in enumerate(space.entries) for text in wordings[entry]]
        self._owners = np.asarray([number for number, _ in documents], np.intp)
        self._lexical = bm25s.BM25()
        self._lexical.index([bigrams(text) for _, text in documents], show_progress=False)

    def cosines(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosine [N, C] of unit ``embeddings`` [N, D] with every class."""
        return np.asarray(embeddings @ self._vectors.T, np.float32)

    def lexical(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """``log(1 + BM25)`` [N, C] of the best wording of each entry; 0 for classes without an entry.

        Robertson and Zaragoza (2009), "The Probabilistic Relevance Framework: BM25 and Beyond".
        """
        scores = np.zeros((len(texts), self.space.size), np.float32)
        for row, text in enumerate(texts):
            if text:  # a message of invisible characters alone has no words to look up
                np.maximum.at(scores[row], self._owners, self._lexical.get_scores(bigrams(text)))
        return np.log1p(scores)


def build_index(
    space: MatchSpace,
    trained_vectors: NDArray[np.float32],
    faq: Mapping[str, FaqEntry],
    *,
    normalise: Callable[[str], str],
    embed: Embed,
) -> FaqIndex:
    """Index of the live entries.

    A trained class keeps the vector learnt from its messages; an entry written after training gets the mean of
    its own wordings.
    """
    wordings = {id_: [normalise(text) for text in faq[id_].texts()] for id_ in space.entries}
    vectors = np.zeros((space.size, trained_vectors.shape[1]), np.float32)
    known = space.columns >= 0
    vectors[known] = trained_vectors[space.columns[known]]
    for number in np.flatnonzero(~known):
        mean = embed(wordings[space.entries[number]]).mean(0)
        vectors[number] = mean / np.linalg.norm(mean)
    return FaqIndex(space, vectors, wordings)

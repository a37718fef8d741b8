"""BM25 over the wordings of the entries: as a view that is fused, and as a search that proposes candidates.

Robertson and Zaragoza (2009), "The Probabilistic Relevance Framework: BM25 and Beyond"; computed by bm25s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yingda.probability import ranges
from yingda.retrieve.neighbours import largest
from yingda.retrieve.postings import build_table

Wordings = Mapping[str, Sequence[str]]
"""Normalised wordings by entry."""


def bigrams(text: str) -> list[str]:
    """Character bigrams in lower case: the unit of lexical search in unsegmented Chinese."""
    lower = text.lower()
    return [lower[i : i + 2] for i in range(len(lower) - 1)] or [lower]


def characters(text: str) -> list[str]:
    """Characters and bigrams in lower case: what candidates are searched by."""
    lower = text.lower()
    return [*lower, *bigrams(lower)] if len(lower) > 1 else [lower]


_MARKS = re.compile(r"\W+")


def words_key(text: str) -> int:
    """A number of 64 bits for the letters and digits of ``text``, in lower case and without its marks; 0 where it has none."""
    bare = _MARKS.sub("", text.lower())
    return int.from_bytes(blake2b(bare.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") if bare else 0


@dataclass(frozen=True)
class WordingScores:
    """BM25 of single wordings, by bigrams; of each wording ``owners`` [W] has the entry number, ascending, and ``keys`` [W] the key."""

    table: Any  # bm25s.BM25
    owners: NDArray[np.intp]
    keys: NDArray[np.uint64]

    @classmethod
    def build(cls, entries: Sequence[str], wordings: Wordings) -> WordingScores:
        """The table over every wording of ``entries``."""
        documents = [(number, text) for number, entry in enumerate(entries) for text in wordings[entry]]
        table = build_table([(text,) for _, text in documents], whole=False)
        keys = np.asarray([words_key(text) for _, text in documents], np.uint64)
        return cls(table, np.asarray([number for number, _ in documents], np.intp), keys)

    def asked(self, text: str) -> NDArray[np.intp]:
        """Numbers of the entries of which ``text`` is a wording, whatever its marks and capitals, ascending."""
        key = words_key(text)
        return np.unique(self.owners[self.keys == np.uint64(key)]) if key else np.zeros(0, np.intp)

    def best(self, text: str, size: int) -> NDArray[np.float32]:
        """``log(1 + BM25)`` of the best wording of each entry, in an array [size]; zeros for a text without characters."""
        scores = np.zeros(size, np.float32)
        if text and len(self.owners):  # a message of invisible characters alone has no words to look up
            owners, starts = self._stretches
            scores[owners] = np.maximum.reduceat(self._all_scores(text), starts)
        return np.log1p(scores)

    @cached_property
    def _stretches(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Each entry number once, and the place of its first wording."""
        owners, starts = np.unique(self.owners, return_index=True)
        return owners, starts

    def _all_scores(self, text: str) -> NDArray[np.float32]:
        """BM25 of every wording, in bm25s's order of addition, all postings of the bigrams in one pass."""
        data, indices, indptr = (self.table.scores[name] for name in ("data", "indices", "indptr"))
        tokens = np.array(self.table.get_tokens_ids(bigrams(text)), np.intp)
        starts = indptr[tokens]
        places = ranges(starts, indptr[tokens + 1] - starts)
        scores = np.zeros(len(self.owners), np.float32)
        np.add.at(scores, indices[places], data[places])
        return scores

    def best_of(self, text: str, entries: NDArray[np.intp]) -> NDArray[np.float32]:
        """``best`` at the numbers ``entries`` [K] alone, without touching the other wordings."""
        starts, ends = np.searchsorted(self.owners, entries), np.searchsorted(self.owners, entries, "right")
        lengths = ends - starts
        places = ranges(starts, lengths)
        scores = np.zeros(len(entries), np.float32)
        if text and len(places):
            np.maximum.at(scores, np.repeat(np.arange(len(entries)), lengths), self._scores_of(text, places))
        return np.log1p(scores)

    def _scores_of(self, text: str, documents: NDArray[np.intp]) -> NDArray[np.float32]:
        """BM25 of the ``documents`` [K]: each bigram's postings are in ascending order, so they are looked up there."""
        data, indices, indptr = (self.table.scores[name] for name in ("data", "indices", "indptr"))
        wanted, scores = documents.astype(indices.dtype), np.zeros(len(documents), np.float32)
        for token in self.table.get_tokens_ids(bigrams(text)):
            postings, values = indices[indptr[token] : indptr[token + 1]], data[indptr[token] : indptr[token + 1]]
            if len(postings):
                at = np.minimum(np.searchsorted(postings, wanted), len(postings) - 1)
                scores += np.where(postings[at] == wanted, values[at], np.float32(0))
        return scores


@dataclass(frozen=True)
class EntrySearch:
    """BM25 of whole entries, all wordings of one as one document, by characters and bigrams."""

    table: Any  # bm25s.BM25

    @classmethod
    def build(cls, entries: Sequence[str], wordings: Wordings) -> EntrySearch:
        """The table over ``entries``."""
        return cls(build_table([tuple(wordings[entry]) for entry in entries], whole=True))

    def search(self, text: str, k: int) -> NDArray[np.intp]:
        """Numbers of the up to ``k`` best entries that share a character with ``text``, best first."""
        if not text:
            return np.zeros(0, np.intp)
        scores = self.table.get_scores(characters(text))
        found = largest(scores, k)
        return np.asarray(found[scores[found] > 0], np.intp)

"""The FAQ index: one unit vector a match class, and BM25 over the entries' wordings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from yingda.domain.knowledge import FaqEntry
from yingda.retrieve.lexical import EntrySearch, Wordings, WordingScores
from yingda.retrieve.neighbours import EXACT_SEARCH, Neighbours, aligned, build_neighbours
from yingda.retrieve.shortlist import PROPOSED, Shortlist, Tail
from yingda.retrieve.space import MatchSpace

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
"""Normalised texts in, unit embeddings [N, D] out."""

EXACT_SCORES = 8_000
"""Classes up to which every class of a message is scored; beyond, only its shortlist, which is quicker from about here on."""

SAMPLE = 4_096
"""Entries whose cosines stand for all that no search proposes."""


@dataclass(frozen=True)
class Search:
    """What proposes candidates in a large space: ``sample`` holds entry numbers in ascending order."""

    neighbours: Neighbours
    entries: EntrySearch
    sample: NDArray[np.intp]


class FaqIndex:
    """Similarities of messages to every match class; immutable, so threads share it freely.

    ``vectors`` [C, D] are unit vectors in the order of the space. An index made with ``search`` proposes shortlists.
    """

    def __init__(
        self,
        space: MatchSpace,
        vectors: NDArray[np.float32],
        wordings: Wordings | WordingScores,
        *,
        search: Search | None = None,
    ) -> None:
        self.space = space
        self.vectors = vectors
        self.wordings = wordings if isinstance(wordings, WordingScores) else WordingScores.build(space.entries, wordings)
        self.search = search
        self._always = np.flatnonzero(~space.is_new[: len(space.entries)])
        self._sampled = np.ascontiguousarray(vectors[search.sample]) if search else None

    @property
    def is_large(self) -> bool:
        """Whether messages are scored by ``shortlist`` instead of ``cosines`` and ``lexical``."""
        return self.search is not None

    def cosines(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosine [N, C] of unit ``embeddings`` [N, D] with every class."""
        return np.asarray(embeddings @ self.vectors.T, np.float32)

    def lexical(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """``log(1 + BM25)`` [N, C] of the best wording of each entry; 0 for classes without an entry."""
        scores = np.zeros((len(texts), self.space.size), np.float32)
        for row, text in enumerate(texts):
            scores[row] = self.wordings.best(text, self.space.size)
        return scores

    def shortlist(self, embedding: NDArray[np.float32], text: str, *, k: int = PROPOSED) -> Shortlist:
        """Candidates for one message of unit ``embedding`` [D]: the ``k`` nearest, the ``k`` best by BM25, and trained entries.

        Trained entries are always candidates: they are few, and the n-gram view knows them. Raises ValueError
        where the index was built without a search.
        """
        if self.search is None or self._sampled is None:
            raise ValueError("this index scores every class: it was built without a search")
        ids, cosines = self.search.neighbours.search(embedding[None], k)
        entries = np.union1d(np.union1d(ids[0], self.search.entries.search(text, k)), self._always)
        space = self.space.take(entries)
        numbers = np.concatenate((entries, np.arange(len(self.space.entries), self.space.size)))
        lexical = np.zeros(space.size, np.float32)
        lexical[: len(entries)] = self.wordings.best_of(text, entries)
        outside = ~np.isin(self.search.sample, entries, assume_unique=True)
        sampled = np.minimum(np.vecdot(self._sampled, embedding)[outside], cosines[0, -1])
        left = len(self.space.entries) - len(entries)
        tail = Tail(sampled, self.space.intents[self.search.sample[outside]], left / max(len(sampled), 1))
        return Shortlist(space, np.vecdot(self.vectors[numbers], embedding)[None], lexical[None], tail)

    def look_up(self, entry: str, embedding: NDArray[np.float32], text: str) -> tuple[float, float]:
        """Cosine and ``log(1 + BM25)`` of one entry for a message of unit ``embedding`` [D]; raises KeyError where there is none."""
        number = self.space.places[entry]
        lexical = self.wordings.best_of(text, np.asarray([number]))
        return float(np.vecdot(self.vectors[number], embedding)), float(lexical[0])


def build_search(space: MatchSpace, vectors: NDArray[np.float32], wordings: Wordings, *, exact: int = EXACT_SEARCH) -> Search:
    """What proposes candidates among the entries of ``space``; ``exact``: vectors up to which the dense search is exact."""
    count = len(space.entries)
    return Search(build_neighbours(vectors[:count], exact=exact), EntrySearch.build(space.entries, wordings), draw_sample(space))


def draw_sample(space: MatchSpace, size: int = SAMPLE) -> NDArray[np.intp]:
    """Numbers of up to ``size`` untrained entries, drawn without replacement and the same for the same space."""
    untrained = np.flatnonzero(space.is_new[: len(space.entries)])
    if len(untrained) <= size:
        return untrained
    return np.sort(np.random.default_rng(0).choice(untrained, size, replace=False))


def build_index(
    space: MatchSpace,
    trained_vectors: NDArray[np.float32],
    faq: Mapping[str, FaqEntry],
    *,
    normalise: Callable[[str], str],
    embed: Embed,
    given: Mapping[bytes, NDArray[np.float32]] = MappingProxyType({}),
    exact_scores: int = EXACT_SCORES,
) -> FaqIndex:
    """Index of the live entries, with a search where the space has more than ``exact_scores`` classes.

    A trained class keeps the vector learnt from its messages; an entry written after training gets the mean of
    its own wordings, unless its ``wordings_key`` is among those ``given`` (see ``known_vectors``).
    """
    wordings = {id_: [normalise(text) for text in faq[id_].texts()] for id_ in space.entries}
    vectors = aligned(np.zeros((space.size, trained_vectors.shape[1]), np.float32))
    known = space.columns >= 0
    vectors[known] = trained_vectors[space.columns[known]]
    for number in np.flatnonzero(~known):
        entry = space.entries[number]
        vector = given.get(wordings_key(faq[entry])) if given else None
        vectors[number] = _mean(embed(wordings[entry])) if vector is None else vector
    search = build_search(space, vectors, wordings) if space.size > exact_scores else None
    return FaqIndex(space, vectors, wordings, search=search)


def wordings_key(entry: FaqEntry) -> bytes:
    """Digest of the wordings that the vector of an untrained ``entry`` is made of."""
    return blake2b(json.dumps(entry.texts()).encode(), digest_size=16).digest()


def known_vectors(index: FaqIndex, faq: Mapping[str, FaqEntry]) -> dict[bytes, NDArray[np.float32]]:
    """Vectors of the untrained entries of ``index``, built over ``faq`` by the same model, for ``build_index`` to take over."""
    names, untrained = index.space.entries, np.flatnonzero(index.space.columns[: len(index.space.entries)] < 0)
    return {wordings_key(faq[names[number]]): index.vectors[number] for number in untrained.tolist()}


def _mean(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vector [D] in the middle of ``embeddings`` [N, D]."""
    mean = embeddings.mean(0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)

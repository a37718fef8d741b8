"""The FAQ index: one unit vector a match class, and BM25 over the entries' wordings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate, chain
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

TOGETHER = 64
"""Entries whose wordings are embedded in one call."""

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
    ``normalised`` holds the wordings it was made of; an index read from a disk has none.
    """

    def __init__(
        self,
        space: MatchSpace,
        vectors: NDArray[np.float32],
        wordings: Wordings | WordingScores,
        *,
        search: Search | None = None,
        normalised: Wordings = MappingProxyType({}),
    ) -> None:
        self.space = space
        self.vectors = vectors
        self.wordings = wordings if isinstance(wordings, WordingScores) else WordingScores.build(space.entries, wordings)
        self.normalised = normalised if isinstance(wordings, WordingScores) else wordings
        self.search = search
        self._always = np.flatnonzero(~space.is_new[: len(space.entries)])
        self._sampled = np.ascontiguousarray(vectors[search.sample]) if search else None

    @property
    def is_large(self) -> bool:
        """Whether messages are scored by ``shortlist`` instead of ``cosines`` and ``lexical``."""
        return self.search is not None

    def cosines(self, embeddings: NDArray[np.float32], texts: Sequence[str]) -> NDArray[np.float32]:
        """Cosine [N, C] of unit ``embeddings`` [N, D] with every class, 1 with an entry that the text asks in its own words.

        The middle of many wordings, or of wordings in several languages, is far from each of them, and what a trained entry has
        learnt knows nothing of a wording that was added later: another entry may be nearer.
        """
        found = np.asarray(embeddings @ self.vectors.T, np.float32)
        for row, text in enumerate(texts):
            found[row, self.wordings.asked(text)] = 1.0
        return found

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
        asked = self.wordings.asked(text)
        proposed = (ids[0], self.search.entries.search(text, k), asked, self._always)
        entries = np.unique(np.concatenate(proposed))
        space = self.space.take(entries)
        numbers = np.concatenate((entries, np.arange(len(self.space.entries), self.space.size)))
        lexical = np.zeros(space.size, np.float32)
        lexical[: len(entries)] = self.wordings.best_of(text, entries)
        cosine = np.vecdot(self.vectors[numbers], embedding)
        cosine[np.searchsorted(entries, asked)] = 1.0
        outside = ~np.isin(self.search.sample, entries, assume_unique=True)
        sampled = np.minimum(np.vecdot(self._sampled, embedding)[outside], cosines[0, -1])
        left = len(self.space.entries) - len(entries)
        tail = Tail(sampled, self.space.intents[self.search.sample[outside]], left / max(len(sampled), 1))
        return Shortlist(space, cosine[None], lexical[None], tail)

    def look_up(self, entry: str, embedding: NDArray[np.float32], text: str) -> tuple[float, float]:
        """Cosine and ``log(1 + BM25)`` of one entry that is on no shortlist, for a message of unit ``embedding`` [D]; raises KeyError."""
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
    vectors = _trained(space, trained_vectors)
    unread = []
    for number in np.flatnonzero(space.is_new).tolist():
        vector = given.get(wordings_key(faq[space.entries[number]])) if given else None
        if vector is None:
            unread.append(number)
        else:
            vectors[number] = vector
    for number, vector in zip(unread, _means([wordings[space.entries[number]] for number in unread], embed), strict=True):
        vectors[number] = vector
    return _complete(space, vectors, wordings, exact_scores)


def renew_index(
    former: FaqIndex,
    before: Mapping[str, FaqEntry],
    space: MatchSpace,
    trained_vectors: NDArray[np.float32],
    faq: Mapping[str, FaqEntry],
    *,
    normalise: Callable[[str], str],
    embed: Embed,
    exact_scores: int = EXACT_SCORES,
) -> FaqIndex:
    """The index that ``build_index`` makes of ``faq``, bit for bit, by what ``former`` holds, built over ``before`` by the same model.

    Where all wordings are as they were, tables, search and vectors are those of ``former`` (of the same intents, it is
    ``former`` itself); else entries whose wordings stayed keep text and vector, and tables are made anew.
    """
    old = former.space
    same = {id_ for id_, entry in faq.items() if id_ in old.places and (entry is before[id_] or entry.texts() == before[id_].texts())}
    if space.entries == old.entries and len(same) == len(space.entries) and np.array_equal(space.columns, old.columns):
        if np.array_equal(space.intents, old.intents):
            return former
        return FaqIndex(space, former.vectors, former.wordings, search=former.search, normalised=former.normalised)
    wordings = {
        id_: held if id_ in same and (held := former.normalised.get(id_)) else [normalise(text) for text in faq[id_].texts()]
        for id_ in space.entries
    }
    vectors, unread = _trained(space, trained_vectors), []
    for number in np.flatnonzero(space.is_new).tolist():
        id_ = space.entries[number]
        if id_ in same and old.is_new[old.places[id_]]:
            vectors[number] = former.vectors[old.places[id_]]
        else:
            unread.append(number)
    for number, vector in zip(unread, _means([wordings[space.entries[number]] for number in unread], embed), strict=True):
        vectors[number] = vector
    return _complete(space, vectors, wordings, exact_scores)


def wordings_key(entry: FaqEntry) -> bytes:
    """Digest of the wordings that the vector of an untrained ``entry`` is made of."""
    return blake2b(json.dumps(entry.texts()).encode(), digest_size=16).digest()


def known_vectors(index: FaqIndex, faq: Mapping[str, FaqEntry]) -> dict[bytes, NDArray[np.float32]]:
    """Vectors of the untrained entries of ``index``, built over ``faq`` by the same model, for ``build_index`` to take over."""
    names, untrained = index.space.entries, np.flatnonzero(index.space.columns[: len(index.space.entries)] < 0)
    return {wordings_key(faq[names[number]]): index.vectors[number] for number in untrained.tolist()}


def _trained(space: MatchSpace, trained_vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors [C, D] with those of the trained classes filled in."""
    vectors = aligned(np.zeros((space.size, trained_vectors.shape[1]), np.float32))
    vectors[~space.is_new] = trained_vectors[space.columns[~space.is_new]]
    return vectors


def _complete(space: MatchSpace, vectors: NDArray[np.float32], wordings: Wordings, exact_scores: int) -> FaqIndex:
    search = build_search(space, vectors, wordings) if space.size > exact_scores else None
    return FaqIndex(space, vectors, wordings, search=search)


def _means(entries: Sequence[Sequence[str]], embed: Embed) -> Iterator[NDArray[np.float32]]:
    """Unit vector [D] in the middle of each entry's wordings, which are embedded some hundred at a time."""
    for start in range(0, len(entries), TOGETHER):
        group = entries[start : start + TOGETHER]
        embeddings = embed(list(chain.from_iterable(group)))
        for end, wordings in zip(accumulate(map(len, group)), group, strict=True):
            mean = embeddings[end - len(wordings) : end].mean(0)
            yield np.asarray(mean / np.linalg.norm(mean), np.float32)

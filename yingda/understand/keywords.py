"""The keyword library as evidence: terms and synonyms found in a message, longest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ahocorasick_rs import AhoCorasick, MatchKind

from yingda.domain.decision import KeywordHit
from yingda.domain.knowledge import Keyword


class KeywordFinder:
    """Finds every term of the library in one pass over a normalised text (Aho and Corasick 1975)."""

    def __init__(self, keywords: Sequence[Keyword], *, normalise: Callable[[str], str]) -> None:
        owners = [(normalise(w).lower(), k) for k in keywords for w in (k.term, *k.synonyms)]
        self._owners = [keyword for _, keyword in owners]
        self._automaton = AhoCorasick([word for word, _ in owners], matchkind=MatchKind.LeftmostLongest)

    def find(self, text: str) -> tuple[KeywordHit, ...]:
        """Hits in order of appearance, each term and intent once; a synonym reports the word that was written."""
        lower = text.lower()
        hits: dict[KeywordHit, None] = {}
        for number, start, end in self._automaton.find_matches_as_indexes(lower):
            for intent in self._owners[number].intents:
                hits.setdefault(KeywordHit(lower[start:end], intent))
        return tuple(hits)

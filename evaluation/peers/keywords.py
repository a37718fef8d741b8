"""Keyword rules: what a shop without a model does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluation.peers.peer import Lessons, LocalPeer, Prediction
from yingda.domain.knowledge import OUT_OF_SCOPE, FaqEntry
from yingda.text.normalise import normalise
from yingda.understand.keywords import KeywordFinder


class KeywordPeer(LocalPeer):
    """The pack's keyword library votes for an intent; the entry of that intent that shares most of the words found answers."""

    name = "keywords"
    note = "keywords.yaml alone, no training"
    packages: Mapping[str, str] = {"ahocorasick-rs": "ahocorasick_rs"}

    def learns_from(self, _lessons: Lessons, /) -> int | None:
        """No row: its words are the pack's keyword library."""
        return 0

    def fit(self, lessons: Lessons, _folder: Path, /) -> None:
        """Build the automaton and note which words each entry's wordings hold."""
        self._finder = KeywordFinder(lessons.knowledge.keywords, normalise=normalise)
        self._entries: dict[str, list[tuple[str, frozenset[str]]]] = {}
        for entry in lessons.knowledge.faq.values():
            self._entries.setdefault(entry.intent, []).append((entry.id, self._words(entry)))

    def answer(self, texts: Sequence[str]) -> list[Prediction]:
        """Out of scope where no keyword is found."""
        return [self._answer(normalise(text)) for text in texts]

    def _answer(self, text: str) -> Prediction:
        hits = self._finder.find(text)
        if not hits:
            return Prediction(None, OUT_OF_SCOPE, 0.0)
        votes = Counter(hit.intent for hit in hits)
        letters = Counter[str]()
        for hit in hits:
            letters[hit.intent] += len(hit.text)
        intent = max(votes, key=lambda code: (votes[code], letters[code]))  # the longer words decide a tie
        words = {hit.text for hit in hits if hit.intent == intent}
        shared = [(len(words & known), entry) for entry, known in self._entries.get(intent, [])]
        best = max(shared, key=lambda pair: pair[0], default=None)  # the first in file order decides a tie
        return Prediction(None if best is None else best[1], intent, votes[intent] / votes.total())

    def _words(self, entry: FaqEntry) -> frozenset[str]:
        return frozenset(hit.text for text in entry.texts() for hit in self._finder.find(normalise(text)))

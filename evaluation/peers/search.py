"""Lexical search: the indexed text that shares most with the message answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.peers.peer import Lessons, LocalPeer, Prediction, TrainRow, wordings
from yingda.domain.knowledge import OUT_OF_SCOPE


class SearchPeer(LocalPeer):
    """BM25 (Robertson and Zaragoza 2009, with the weights of Lucene) over character bigrams.

    Bigrams instead of words: on short Chinese texts no segmenter is needed for them, and none can err.
    """

    packages: Mapping[str, str] = {"bm25s": "bm25s"}

    def __init__(self, name: str, note: str, *, wordings_only: bool) -> None:
        self.name, self.note = name, note
        self._wordings_only = wordings_only

    def learns_from(self, lessons: Lessons, /) -> int | None:
        """The wordings, or all rows."""
        return wordings(lessons) if self._wordings_only else len(lessons.rows)

    def fit(self, lessons: Lessons, _folder: Path, /) -> None:
        """Index the entries' wordings, or these and all training messages."""
        import bm25s

        self._rows: list[TrainRow] = [row for row in lessons.rows if row.wording or not self._wordings_only]
        self._index: Any = bm25s.BM25()
        self._index.index([_bigrams(row.text) for row in self._rows], show_progress=False)
        self._is_entry = np.asarray([row.entry is not None for row in self._rows])

    def answer(self, texts: Sequence[str]) -> list[Prediction]:
        """Entry and intent of the best text; out of scope where nothing is shared."""
        return [self._answer(text) for text in texts]

    def _answer(self, text: str) -> Prediction:
        scores = np.asarray(self._index.get_scores(_bigrams(text)), np.float64)
        nearest = self._rows[int(np.argmax(scores))]
        entry = int(np.argmax(np.where(self._is_entry, scores, -1.0)))
        score = float(scores[entry])
        if score <= 0:
            return Prediction(None, nearest.intent if scores.max() > 0 else OUT_OF_SCOPE, 0.0)
        return Prediction(self._rows[entry].entry, nearest.intent, score / (1 + score))


def entry_search() -> SearchPeer:
    """Search in the questions that the FAQ itself holds."""
    return SearchPeer("bm25", "bigrams of the entries' wordings; no training messages", wordings_only=True)


def message_search() -> SearchPeer:
    """Search in every labelled text."""
    return SearchPeer("bm25-messages", "bigrams of wordings and training messages; the nearest one answers", wordings_only=False)


def _bigrams(text: str) -> list[str]:
    lower = text.lower()
    return [lower[i : i + 2] for i in range(len(lower) - 1)] or [lower]

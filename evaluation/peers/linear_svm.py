"""TF-IDF of character n-grams and linear support vector machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.peers.classes import Reader, match_class
from evaluation.peers.peer import Lessons, LocalPeer, Prediction


class SvmPeer(LocalPeer):
    """One machine for match classes and one for intents on the same features (scikit-learn, LIBLINEAR: Fan et al. 2008)."""

    name = "svm"
    note = "TF-IDF of characters 1-3, LinearSVC with C = 1, one for entries and one for intents"
    packages: Mapping[str, str] = {"scikit-learn": "sklearn"}

    def fit(self, lessons: Lessons, _folder: Path, /) -> None:
        """Fit features and both machines."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.svm import LinearSVC

        self._features: Any = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, dtype=np.float64)
        texts = self._features.fit_transform([row.text for row in lessons.rows])
        self._match: Any = LinearSVC(random_state=lessons.seed).fit(texts, [match_class(row) for row in lessons.rows])
        self._intent: Any = LinearSVC(random_state=lessons.seed).fit(texts, [row.intent for row in lessons.rows])
        self._reader = Reader(self._match.classes_.tolist(), self._intent.classes_.tolist())

    def answer(self, texts: Sequence[str]) -> list[Prediction]:
        """The class with the largest margin; the margin squashed to (0, 1) orders messages by how sure the machine is."""
        features = self._features.transform(texts)
        return self._reader.read(_squashed(self._match.decision_function(features)), _columns(self._intent.decision_function(features)))


def _squashed(margins: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-_columns(margins)))


def _columns(margins: Any) -> Any:
    """[N, classes] also where there are two classes, for which scikit-learn gives one column alone."""
    return np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins

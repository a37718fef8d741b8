"""Calibrated sentiment from the encoder's sentiment head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from yingda.domain.decision import SentimentScore
from yingda.domain.knowledge import Sentiment
from yingda.probability import softmax


def score_sentiments(logits: NDArray[np.float32], labels: Sequence[Sentiment], *, temperature: float) -> list[SentimentScore]:
    """One score a message from head logits [N, S].

    Temperature scaling: Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    return [_score(row, labels) for row in softmax(np.asarray(logits / temperature, np.float32))]


def _score(probabilities: NDArray[np.float32], labels: Sequence[Sentiment]) -> SentimentScore:
    best = int(probabilities.argmax())
    scores = {label: float(p) for label, p in zip(labels, probabilities, strict=True)}
    return SentimentScore(labels[best], float(probabilities[best]), scores)

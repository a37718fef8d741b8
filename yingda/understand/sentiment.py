"""Calibrated sentiment from the encoder's sentiment head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yingda.domain.decision import SentimentScore
from yingda.domain.knowledge import Sentiment
from yingda.probability import softmax


@dataclass(frozen=True, slots=True)
class SentimentScaling:
    """Temperature and one bias a class: vector scaling without its slopes (Guo et al. 2017, arXiv:1706.04599).

    The bias undoes the class weights of training, which favour rare feelings.
    """

    temperature: float
    bias: tuple[float, ...]


def scale_logits(logits: NDArray[np.float32], scaling: SentimentScaling) -> NDArray[np.float32]:
    """Calibrated logits [N, S] of head logits [N, S]."""
    return np.asarray(logits / scaling.temperature + np.asarray(scaling.bias, np.float32), np.float32)


def score_sentiments(logits: NDArray[np.float32], labels: Sequence[Sentiment], scaling: SentimentScaling) -> list[SentimentScore]:
    """One score a message from head logits [N, S]."""
    return [_score(row, labels) for row in softmax(scale_logits(logits, scaling))]


def _score(probabilities: NDArray[np.float32], labels: Sequence[Sentiment]) -> SentimentScore:
    best = int(probabilities.argmax())
    scores = {label: float(p) for label, p in zip(labels, probabilities, strict=True)}
    return SentimentScore(labels[best], float(probabilities[best]), scores)

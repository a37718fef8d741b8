"""Calibrated sentiment from the encoder's sentiment head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from yingda.domain.decision import SentimentScore
from yingda.domain.knowledge import DISPLEASED, Sentiment
from yingda.probability import softmax


@dataclass(frozen=True, slots=True)
class SentimentScaling:
    """Temperature and one bias a class: vector scaling without its slopes (Guo et al. 2017, arXiv:1706.04599).

    The bias undoes the class weights of training, which favour rare feelings. ``alertness`` (a log odds, at least 0)
    favours the displeased ones when the label is chosen, for a displeased customer taken for a calm one costs more than
    the reverse; the probabilities stay as they are.
    """

    temperature: float
    bias: tuple[float, ...]
    alertness: float = 0.0


def scale_logits(logits: NDArray[np.float32], scaling: SentimentScaling) -> NDArray[np.float32]:
    """Calibrated logits [N, S] of head logits [N, S]."""
    return np.asarray(logits / scaling.temperature + np.asarray(scaling.bias, np.float32), np.float32)


def score_sentiments(logits: NDArray[np.float32], labels: Sequence[Sentiment], scaling: SentimentScaling) -> list[SentimentScore]:
    """One score a message from head logits [N, S]."""
    scaled = scale_logits(logits, scaling)
    chosen = choose(scaled, labels, scaling.alertness)
    return [_score(row, int(best), labels) for row, best in zip(softmax(scaled), chosen, strict=True)]


def choose(scaled: NDArray[np.float32], labels: Sequence[Sentiment], alertness: float) -> NDArray[np.intp]:
    """Number of the label of each row [N] of calibrated logits [N, S]: the best one, displeasure favoured by ``alertness``."""
    return np.asarray((scaled + _favour(tuple(labels), alertness)).argmax(axis=1), np.intp)


@lru_cache(maxsize=8)
def _favour(labels: tuple[Sentiment, ...], alertness: float) -> NDArray[np.float64]:
    return np.where([label in DISPLEASED for label in labels], alertness, 0.0)


def _score(probabilities: NDArray[np.float32], best: int, labels: Sequence[Sentiment]) -> SentimentScore:
    scores = {label: float(p) for label, p in zip(labels, probabilities, strict=True)}
    return SentimentScore(labels[best], float(probabilities[best]), scores)

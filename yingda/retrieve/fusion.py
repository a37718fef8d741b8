"""Fuse the views of a message into one posterior over match classes, and say how sure the best match is.

The views are combined as a weighted product of experts (Genest and Zidek 1986, "Combining Probability
Distributions: A Critique and an Annotated Bibliography": the logarithmic opinion pool); the confidence of the
best class is then a logistic regression on the shape of that posterior (Platt 1999). All numbers are fitted by
``training/calibrate.py`` on rows that no model saw, through these same functions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yingda.probability import log_odds, log_softmax, sigmoid
from yingda.retrieve.space import MatchSpace

FEATURES = ("best_log_odds", "margin", "intent_log_odds", "none_log_odds", "dense_agrees", "linear_agrees", "cosine")


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """Exponents of the opinion pool; ``scale`` turns cosines into logits."""

    scale: float
    dense: float
    linear: float
    intent: float
    lexical: float
    none: float


@dataclass(frozen=True, slots=True)
class ConfidenceModel:
    """Logistic regression over ``FEATURES``."""

    weights: tuple[float, ...]
    bias: float


@dataclass(frozen=True, slots=True)
class Views:
    """Evidence about N messages over C classes and I intents, all from one encoder pass and one n-gram look-up."""

    cosine: NDArray[np.float32]  # [N, C]
    linear: NDArray[np.float32]  # [N, C] log probabilities, NaN for classes the view does not know
    lexical: NDArray[np.float32]  # [N, C]
    intent: NDArray[np.float32]  # [N, I] log probabilities of the intent head


def spread(trained: NDArray[np.float32], space: MatchSpace) -> NDArray[np.float32]:
    """Columns of a trained view [N, trained] in the order of ``space`` [N, C], NaN for new entries."""
    placed = trained[:, space.columns]
    if not isinstance(space.trained, slice):
        placed[:, space.is_new] = np.nan
    return placed


def fuse(views: Views, weights: FusionWeights, space: MatchSpace) -> NDArray[np.float32]:
    """Log posterior [N, C]; a class the n-gram view does not know takes the dense view's word there too."""
    return log_softmax(pool(log_softmax(weights.scale * views.cosine), views, weights, space))


def pool(dense: NDArray[np.float32], views: Views, weights: FusionWeights, space: MatchSpace) -> NDArray[np.float32]:
    """Weighted sum [N, C] of the views' log probabilities, not normalised; ``dense`` [N, C] is that of the dense view."""
    known = space.trained
    linear = dense.copy()
    if isinstance(known, slice) or known.any():
        linear[:, known] = log_softmax(views.linear[:, known]) + np.log(np.exp(dense[:, known]).sum(1, keepdims=True))
    score = weights.dense * dense + weights.linear * linear + weights.intent * views.intent[:, space.intents]
    score[:, : len(space.entries)] += weights.lexical * views.lexical[:, : len(space.entries)]
    score[:, len(space.entries) :] += weights.none
    return np.asarray(score, np.float32)


def features(log_posterior: NDArray[np.float32], views: Views, intents: NDArray[np.float32], space: MatchSpace) -> NDArray[np.float32]:
    """What the confidence of the best entry is judged by, [N, len(FEATURES)].

    ``intents`` [N, I] is the fused intent posterior.
    """
    count = len(space.entries)
    entries = np.exp(log_posterior[:, :count])
    rows = np.arange(len(entries))
    order = np.argsort(-entries, axis=1)
    best, second = order[:, 0], order[:, min(1, count - 1)]
    known = views.linear if isinstance(space.trained, slice) else np.where(np.isnan(views.linear), -np.inf, views.linear)
    shares = entries[rows, best], intents[rows, space.intents[best]], np.exp(log_posterior[:, count:]).sum(1)
    found = np.empty((len(rows), len(FEATURES)), np.float32)
    found[:, 0], found[:, 2], found[:, 3] = log_odds(np.array(shares))
    found[:, 1] = np.minimum(log_posterior[rows, best] - log_posterior[rows, second], 12.0)
    found[:, 4] = views.cosine.argmax(1) == best
    found[:, 5] = known.argmax(1) == best
    found[:, 6] = views.cosine[rows, best]
    return found


def confidences(
    log_posterior: NDArray[np.float32],
    judged: NDArray[np.float32],
    model: ConfidenceModel,
    space: MatchSpace,
    *,
    elsewhere: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Calibrated probability [N, entries] that each entry is right.

    The best entry gets the logistic model's word; what it leaves is shared among the others by their posterior.
    ``elsewhere`` [N] is the posterior of entries that ``space`` leaves out; they get their share too.
    """
    entries = np.exp(log_posterior[:, : len(space.entries)])
    rows, best = np.arange(len(entries)), entries.argmax(1)
    sure = sigmoid(judged @ np.asarray(model.weights, np.float32) + np.float32(model.bias))
    others = np.exp(log_posterior.astype(np.float64))
    others[rows, best] = 0.0
    left = others.sum(1) if elsewhere is None else others.sum(1) + elsewhere
    rest = np.maximum(left, 1e-300)
    shared = others[:, : len(space.entries)] * ((1.0 - sure) / rest)[:, None]
    # an unsure best entry still ranks first: nothing below it may overtake it
    shared = np.minimum(shared.astype(np.float32), np.nextafter(sure, np.float32(0))[:, None])
    shared[rows, best] = sure
    return np.asarray(shared, np.float32)

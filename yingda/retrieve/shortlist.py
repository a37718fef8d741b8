"""Score a few candidates of a large space as if all classes had been scored.

The logarithmic opinion pool needs two sums over all classes: of the dense view, and of the fused scores. Candidates
enter both exactly. All other entries are untrained, so the n-gram view takes the dense view's word for them, and
their fused score follows from cosine and intent alone. They are represented by an equal-probability sample without
replacement (Horvitz and Thompson 1952), whose cosines may not exceed that of the last neighbour found: with an exact
search that is a bound on every one of them. Where the sample holds every entry left out, nothing is estimated but
that an entry left out has no lexical evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from yingda.probability import log_softmax
from yingda.retrieve.fusion import FusionWeights, Views, pool
from yingda.retrieve.space import MatchSpace

PROPOSED = 64
"""Candidates asked of the dense and of the lexical search each."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Entries left out, by a sample: cosines [S], intent numbers [S], and how many entries each one stands for."""

    cosine: NDArray[np.float32]
    intents: NDArray[np.intp]
    each: float

    @property
    def log_each(self) -> np.float32:
        """Logarithm of ``each``; 0 where nothing was left out."""
        return np.float32(log(self.each) if self.each > 0 else 0.0)


@dataclass(frozen=True, slots=True)
class Shortlist:
    """Candidates of one message, and evidence about them: ``cosine`` and ``lexical`` are [1, K] over ``space``."""

    space: MatchSpace
    cosine: NDArray[np.float32]
    lexical: NDArray[np.float32]
    tail: Tail

    def views(self, linear: NDArray[np.float32], intent: NDArray[np.float32]) -> Views:
        """The views, given the rows of n-gram view [1, trained] and intent head [1, I] (log probabilities)."""
        placed = linear[:, self.space.columns]
        placed[:, self.space.is_new] = np.nan
        return Views(self.cosine, placed, self.lexical, intent)


def fuse_shortlist(views: Views, weights: FusionWeights, shortlist: Shortlist) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Log posterior [1, K] of the candidates, and the probability [1, I] of the entries left out, by intent.

    Both together sum to 1. Where nothing was left out, the first is what ``fuse`` says of the whole space.
    """
    space, tail, count = shortlist.space, shortlist.tail, shortlist.space.size
    logits = np.concatenate((weights.scale * views.cosine, (weights.scale * tail.cosine + tail.log_each)[None]), axis=1)
    dense = log_softmax(np.asarray(logits, np.float32))
    away = weights.dense + weights.linear
    rest = away * (dense[:, count:] - tail.log_each) + weights.intent * views.intent[:, tail.intents] + tail.log_each
    scores = np.concatenate((pool(dense[:, :count], views, weights, space), rest), axis=1)
    posterior = log_softmax(np.asarray(scores, np.float32))
    left = np.bincount(tail.intents, np.exp(posterior[0, count:]), minlength=views.intent.shape[1])
    return posterior[:, :count], np.asarray(left[None], np.float32)

"""The threshold from which a person takes over for anger: of those handed over, at most the stated share may not be angry.

Angry customers are rare, so their rows are few. The test of promise.py is asked first, begun as soon as one error does not decide it.
Where it cannot tell, the share seen on the rows decides instead of its bound; and where even that stands on too few rows, the
calibrated confidence itself does, for it is the probability of being right. The hand-off is never switched off: an angry customer
who is left with a machine costs more than an annoyed one who meets a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from training.promise import Promise, find_threshold

_MOST = 10_000
FEWEST = 20
"""Rows called angry from which the share of wrong ones among them is worth an estimate."""


class Method(StrEnum):
    """How a threshold was found: by the test that gives the stated assurance, by the share seen, or by the confidence alone."""

    TESTED = "tested"
    ESTIMATED = "estimated"
    CONFIDENCE = "confidence"


@dataclass(frozen=True)
class AngerPromise:
    """A threshold and how it was found; of ``rows`` called angry, ``accepted`` reach it and ``right`` of those are angry."""

    threshold: float
    accepted: int
    right: int
    rows: int
    error_budget: float
    method: Method


def promise_anger(confidence: NDArray[np.float32], right: NDArray[np.bool_], *, budget: float, assurance: float) -> AngerPromise:
    """The lowest threshold that keeps ``budget`` among rows called angry, of ``confidence`` [N] and angry indeed where ``right`` [N]."""
    tested = find_threshold(confidence, right, budget=budget, assurance=assurance, least=fewest_to_test(budget, assurance))
    if tested.accepted:
        return _promise(tested, budget, Method.TESTED)
    estimated = _estimate(confidence, right, budget)
    if estimated is not None:
        return _promise(estimated, budget, Method.ESTIMATED)
    return _promise(_count(confidence, right, 1 - budget), budget, Method.CONFIDENCE)


def fewest_to_test(budget: float, assurance: float) -> int:
    """The fewest rows on which the test forgives one error: with fewer, chance alone ends the sequence."""
    counts = np.arange(1, _MOST)
    return int(counts[binom.cdf(1, counts, budget) <= 1 - assurance][0])


def _estimate(confidence: NDArray[np.float32], right: NDArray[np.bool_], budget: float) -> Promise | None:
    """The lowest threshold down to which at most the share ``budget`` of at least FEWEST rows is wrong."""
    best = None
    for threshold in np.unique(confidence)[::-1]:
        found = _count(confidence, right, float(threshold))
        if found.accepted < FEWEST:
            continue
        if found.accepted - found.right > budget * found.accepted:
            break
        best = found
    return best


def _count(confidence: NDArray[np.float32], right: NDArray[np.bool_], threshold: float) -> Promise:
    accepted = confidence >= threshold
    return Promise(threshold, int(accepted.sum()), int((accepted & right).sum()), len(right))


def _promise(found: Promise, budget: float, method: Method) -> AngerPromise:
    return AngerPromise(found.threshold, found.accepted, found.right, found.rows, budget, method)

"""Turn an error budget into a threshold with a finite-sample guarantee.

Learn-then-Test with fixed-sequence testing (Angelopoulos, Bates, Candès, Jordan and Lei 2021, "Learn then Test:
Calibrating Predictive Algorithms to Achieve Risk Control", arXiv:2110.01052): thresholds are tested from the
strictest down, each by an exact binomial test of "more than the budget is wrong"; the last one rejected before
the first that is not is safe with the stated assurance. The guarantee supposes that confidences do not depend on
the rows that test them (calibrate.py cross-fits them; the final numbers, fitted to all folds, make it
approximate) and holds for messages that come from where the calibration rows came from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

_STEPS = 200
_LEAST = 200
_START = 0.2
"""The strictest threshold tested accepts this share of the rows and at least _LEAST of them, unless told: with fewer, one error
more or less decides the test, and a sequence that starts there ends by chance."""


@dataclass(frozen=True)
class Promise:
    """A threshold, and what it does on the calibration rows: how many it accepts and how many of those are right."""

    threshold: float
    accepted: int
    right: int
    rows: int


def find_threshold(
    confidence: NDArray[np.float32], right: NDArray[np.bool_], *, budget: float, assurance: float, least: int = _LEAST
) -> Promise:
    """The lowest threshold at which, with probability ``assurance``, at most ``budget`` of accepted rows are wrong.

    The strictest that is tested accepts ``least`` rows or more. When even that fails the test, or there are fewer rows, nothing may be
    accepted: the threshold is above 1.
    """
    best = Promise(1.01, 0, 0, len(right))
    if len(right) < least:
        return best
    strictest = float(np.sort(confidence)[-max(least, int(_START * len(right)))])
    grid = np.unique(np.quantile(confidence[confidence <= strictest], np.linspace(0, 1, _STEPS)))[::-1]
    for threshold in grid:
        accepted = confidence >= threshold
        count, wrong = int(accepted.sum()), int((accepted & ~right).sum())
        # p-value of "the risk exceeds the budget": the chance of so few errors if it did
        if binom.cdf(wrong, count, budget) > 1 - assurance:
            break
        best = Promise(float(threshold), count, count - wrong, len(right))
    return best

"""What every threshold would cost and gain: the risk-coverage curve, and the area under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import wilson

POINTS = 60
"""Most points of a curve in a report."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """One point a threshold, from the strictest down; every array is [T].

    ``coverage`` is the share of the wanted rows at or above the threshold, ``accepted`` the share of all rows, ``risk`` the
    share of those that is wrong; ``low`` and ``high`` are its 95 % Wilson interval.
    """

    thresholds: Floats
    coverage: Floats
    risk: Floats
    low: Floats
    high: Floats
    accepted: Floats


def risk_coverage(confidence: Sequence[float], right: Sequence[bool], wanted: Sequence[bool]) -> RiskCoverage:
    """What every threshold would have cost and gained on these rows; at least one row must be ``wanted``.

    R. El-Yaniv, Y. Wiener, "On the foundations of noise-free selective classification", JMLR 11 (2010); Y. Geifman,
    R. El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017.
    """
    level, place = np.unique(-np.asarray(confidence, np.float64), return_inverse=True)
    accepted, wrong, covered = (
        np.cumsum(np.bincount(place, weights=np.asarray(weights, np.float64)))
        for weights in (np.ones(len(place)), ~np.asarray(right, bool), np.asarray(wanted, bool))
    )
    ends = np.asarray([wilson(w, round(n)) for w, n in zip(wrong, accepted, strict=True)])
    return RiskCoverage(-level, covered / sum(wanted), wrong / accepted, ends[:, 0], ends[:, 1], accepted / len(place))


def area_under(curve: RiskCoverage) -> float:
    """The area under risk over ``accepted`` (AURC), lower is better: the mean over rows of the risk of accepting down to it.

    Y. Geifman, R. El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017; named in Y. Geifman,
    G. Uziel, R. El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", ICLR 2019. Rows of equal
    confidence are accepted together.
    """
    return float(curve.risk @ np.diff(curve.accepted, prepend=0.0))


def thinned(curve: RiskCoverage, *, points: int = POINTS) -> RiskCoverage:
    """At most ``points`` of the curve, evenly spaced, its ends among them."""
    kept = np.unique(np.linspace(0, len(curve.risk) - 1, min(points, len(curve.risk))).round().astype(np.intp))
    arrays = (curve.thresholds, curve.coverage, curve.risk, curve.low, curve.high, curve.accepted)
    return RiskCoverage(*(values[kept] for values in arrays))

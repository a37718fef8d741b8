"""Pure functions from right and wrong to numbers. None of them depends on the order of rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm

Floats = NDArray[np.float64]

ASSURANCE = 0.95
"""Confidence of every bound and interval."""

BINS = 15
"""Bins of the calibration error, as in Guo et al. (2017)."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric's value over ``n`` rows; None when no row counts for it.

    ``low`` and ``high`` bound a proportion. ``reachable`` is the value had every row been right, where ``n``
    limits it.
    """

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    reachable: float | None = None


@dataclass(frozen=True, slots=True)
class EqualMass:
    """Bins of similar confidence: mean confidence [B], share that is right [B], and rows [B]."""

    confidence: Floats
    accuracy: Floats
    rows: NDArray[np.int64]


def share(right: Sequence[bool]) -> Measure:
    """Proportion of true values with its two-sided 95 % Wilson interval."""
    n, hits = len(right), sum(right)
    if n == 0:
        return Measure(None, 0)
    low, high = wilson(hits, n)
    return Measure(hits / n, n, low, high)


def share_lower_bound(right: Sequence[bool]) -> Measure:
    """One-sided 95 % Clopper-Pearson lower bound of the proportion of true values."""
    n = len(right)
    if n == 0:
        return Measure(None, 0)
    return Measure(clopper_pearson_lower(sum(right), n), n, reachable=clopper_pearson_lower(n, n))


def clopper_pearson_lower(hits: int, n: int) -> float:
    """Exact lower bound of a proportion, one-sided, 95 %.

    C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26 (1934): the rate at which ``hits`` or more of ``n`` have a chance of 5 %.
    """
    return 0.0 if hits == 0 else float(beta.ppf(1 - ASSURANCE, hits, n - hits + 1))


def clopper_pearson_upper(hits: int, n: int) -> float:
    """Exact upper bound of a proportion, one-sided, 95 %; as ``clopper_pearson_lower``."""
    return 1.0 - clopper_pearson_lower(n - hits, n)


def wilson(hits: float, n: int) -> tuple[float, float]:
    """Two-sided 95 % score interval of a proportion, lower end first; ``hits`` may be a fraction where rows share theirs.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    z = float(norm.ppf((1 + ASSURANCE) / 2))
    rate, scale = hits / n, 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / scale
    half = z * float(np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))) / scale
    return (0.0 if hits <= 0 else max(0.0, centre - half), 1.0 if hits >= n else min(1.0, centre + half))


def macro_f1(gold: Sequence[str], got: Sequence[str], *, classes: Collection[str]) -> Measure:
    """Unweighted mean over ``classes`` of F1 = 2 TP / (2 TP + FP + FN); 0 for a class never met by either side.

    C. J. van Rijsbergen, "Information Retrieval" (1979), averaged over classes as by D. D. Lewis, "Evaluating
    text categorization" (1991).
    """
    if not gold or not classes:
        return Measure(None, 0)
    scores = [_f1(gold, got, name) for name in sorted(classes)]
    return Measure(float(np.mean(scores)), len(gold))


def calibration_error(confidence: Sequence[float], right: Sequence[bool]) -> Measure:
    """Expected calibration error over 15 bins of equal mass: mean of |confidence - accuracy| weighted by bin size.

    M. P. Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015; C. Guo et al.,
    "On calibration of modern neural networks", ICML 2017 (there with bins of equal width). Rows of equal confidence
    share their mean accuracy, so that a bin's border between them is no accident of order.
    """
    if not confidence:
        return Measure(None, 0)
    found = equal_mass(confidence, right)
    return Measure(float(abs(found.confidence - found.accuracy) @ found.rows / found.rows.sum()), len(confidence))


def equal_mass(confidence: Sequence[float], right: Sequence[bool], *, bins: int = BINS) -> EqualMass:
    """``bins`` bins with as many rows each, or one more, by rising confidence; one a row where there are fewer rows."""
    levels, level, counts = np.unique(np.asarray(confidence, np.float64), return_inverse=True, return_counts=True)
    accuracy = np.bincount(level, weights=np.asarray(right, np.float64)) / counts
    rows = np.asarray([len(part) for part in np.array_split(level, min(bins, len(level)))], np.int64)
    starts = np.cumsum(rows) - rows
    confident, accurate = (np.add.reduceat(np.repeat(values, counts), starts) / rows for values in (levels, accuracy))
    return EqualMass(confident, accurate, rows)


def coverage_at(accuracy: float, *, confidence: Sequence[float], right: Sequence[bool], wanted: Sequence[bool]) -> Measure:
    """Largest share of ``wanted`` rows above one confidence threshold at which ``accuracy`` of all rows above is right.

    A point of the risk-coverage curve: R. El-Yaniv, Y. Wiener, "On the foundations of noise-free selective
    classification", JMLR 11 (2010). The threshold is chosen on these very rows, so this is a figure to compare
    models by, not a promise.
    """
    total = sum(wanted)
    if total == 0:
        return Measure(None, 0)
    order = np.argsort(-np.asarray(confidence, np.float64), kind="stable")
    hits = np.cumsum(np.asarray(right, np.int64)[order])
    precise = hits / np.arange(1, len(order) + 1) >= accuracy
    allowed = np.flatnonzero(precise & _last_of_level(np.asarray(confidence, np.float64)[order]))
    covered = int(np.asarray(wanted, np.int64)[order][: allowed[-1] + 1].sum()) if len(allowed) else 0
    return Measure(covered / total, total)


def _f1(gold: Sequence[str], got: Sequence[str], name: str) -> float:
    pairs = list(zip(gold, got, strict=True))
    hits = sum(g == name and p == name for g, p in pairs)
    either = sum(g == name for g, _ in pairs) + sum(p == name for _, p in pairs)
    return 2 * hits / either if either else 0.0


def _last_of_level(falling: NDArray[np.float64]) -> NDArray[np.bool_]:
    """True at the last of each run of equal values: a threshold cannot cut inside one."""
    return np.append(np.diff(falling) < 0, True)

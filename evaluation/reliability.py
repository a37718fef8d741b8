"""Whether a confidence means what it says: bins for a reliability diagram, and the calibration error with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import ASSURANCE, BINS, Measure, calibration_error, equal_mass, wilson

RESAMPLES = 1000
SEED = 1993


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows of similar confidence: their mean confidence, and the share of them that is right with its Wilson interval."""

    confidence: float
    accuracy: Measure


def reliability(confidence: Sequence[float], right: Sequence[bool], *, bins: int = BINS) -> tuple[Bin, ...]:
    """Rows in ``bins`` of equal mass by rising confidence, those of the calibration error; fewer when there are fewer rows.

    M. H. DeGroot, S. E. Fienberg, "The comparison and evaluation of forecasters", The Statistician 32 (1983).
    """
    if not confidence:
        return ()
    found = equal_mass(confidence, right, bins=bins)
    pairs = zip(found.confidence.tolist(), found.accuracy.tolist(), found.rows.tolist(), strict=True)
    return tuple(Bin(sure, Measure(rate, rows, *wilson(rate * rows, rows))) for sure, rate, rows in pairs)


def calibration_error_with_interval(
    confidence: Sequence[float], right: Sequence[bool], *, seed: int = SEED, resamples: int = RESAMPLES
) -> Measure:
    """The expected calibration error with the 95 % basic bootstrap interval of the true error; no row's place matters.

    A. C. Davison, D. V. Hinkley, "Bootstrap methods and their application" (1997), section 5.2. Few rows make the error
    look larger than it is (A. Kumar et al., "Verified uncertainty calibration", NeurIPS 2019), and a resample adds the
    same excess once more. The percentile interval would keep it; the basic interval 2 e - quantile takes it away, so a
    small error may lie above its own interval.
    """
    point = calibration_error(confidence, right)
    if point.value is None:
        return point
    rows = np.asarray(sorted(zip(confidence, right, strict=True)), np.float64)
    level, gap = np.unique(rows[:, 0], return_inverse=True)[1], rows[:, 0] - rows[:, 1]
    generator, edges = np.random.default_rng(seed), bin_edges(len(rows))
    draws = (generator.integers(len(rows), size=len(rows)) for _ in range(resamples))
    errors = [binned_error(level[draw], gap[draw], edges) for draw in draws]
    outside = (1 - ASSURANCE) / 2
    low, high = np.clip(2 * point.value - np.quantile(errors, [1 - outside, outside]), 0.0, 1.0).tolist()
    return Measure(point.value, point.n, low, high)


def bin_edges(rows: int, bins: int = BINS) -> NDArray[np.int64]:
    """Where the bins of equal mass begin and end among ``rows`` rows in order, from 0 to ``rows``."""
    sizes = [len(part) for part in np.array_split(np.arange(rows), min(bins, rows))]
    return np.cumsum([0, *sizes])


def binned_error(level: NDArray[np.intp], gap: NDArray[np.float64], edges: NDArray[np.int64]) -> float:
    """The calibration error of rows with the rank [N] of their confidence and confidence minus outcome [N], in any order.

    The same as ``metrics.calibration_error``, several times as fast: rows of one level share their gap evenly, so the sum of
    gaps grows in a straight line along a level, and a bin is the difference of that sum at its two edges.
    """
    passed, sums = (np.concatenate([[0.0], np.cumsum(np.bincount(level, weights=values))]) for values in (np.ones(len(gap)), gap))
    return float(np.abs(np.diff(np.interp(edges, passed, sums))).sum() / len(gap))

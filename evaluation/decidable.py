"""Whether the rows behind a figure can decide a gate at all, so that none passes or fails by luck.

A share is one of a sample. A floor that n right of n could not show, or a ceiling that none of n could not, with the one-sided
95 % bound of C. J. Clopper and E. S. Pearson (Biometrika 26, 1934), is beyond what n rows tell. For 0 of n that bound is about
3 / n: J. A. Hanley, A. Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249 (1983). Other figures have no
such bound and state the rows they need.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from evaluation.metrics import Measure, clopper_pearson_lower, clopper_pearson_upper

FEWEST: Mapping[str, int] = MappingProxyType(
    {
        # few rows make a calibration error of their own: of 15 bins of 20, each is off by some 8 points by chance
        **dict.fromkeys(("intent_ece", "match_ece", "sentiment_ece"), 300),
        **dict.fromkeys(("intent_macro_f1", "sentiment_macro_f1", "coverage_at_95"), 300),
        # a few wrong ones of a few are no evidence against a budget
        "served_budget_exceeded": 100,
        # of fewer messages the 99 % quantile is the slowest one
        **dict.fromkeys(("p99_share", "throughput_share"), 100),
    }
)
"""Fewest rows from which a figure that is no share is held against a gate."""


def too_small(metric: str, measure: Measure, *, floor: float | None = None, ceiling: float | None = None) -> str | None:
    """Why the rows of ``measure`` cannot show that it keeps the limit; None where they can."""
    rows = measure.n
    fewest = FEWEST.get(metric, 0)
    if rows < fewest:
        return f"the set is too small to decide: {rows} rows, and {metric} needs at least {fewest}"
    best = measure.reachable
    if best is None and measure.low is not None:
        best = clopper_pearson_lower(rows, rows)
    if floor is not None and best is not None and best < floor:
        return f"the set is too small to decide: {rows} rows, all of them right, would give {best:.3f}"
    if ceiling is not None and measure.low is not None and (least := clopper_pearson_upper(0, rows)) > ceiling:
        return f"the set is too small to decide: {rows} rows, none of them wrong, would leave up to {least:.3f}"
    return None


def surely_missed(measure: Measure, *, floor: float | None = None, ceiling: float | None = None) -> bool:
    """True for a share that misses the limit beyond doubt: even its one-sided 95 % bound on the better side does."""
    if measure.value is None or measure.low is None:
        return False
    hits = round(measure.value * measure.n)
    below = floor is not None and clopper_pearson_upper(hits, measure.n) < floor
    return below or (ceiling is not None and clopper_pearson_lower(hits, measure.n) > ceiling)

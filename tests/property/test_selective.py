"""What holds for reliability and risk-coverage whatever the rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evaluation.metrics import calibration_error
from evaluation.reliability import reliability
from evaluation.selective import area_under, risk_coverage, thinned

ROUNDING = 1e-9  # sums in another order differ in the last digits

confidences = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 0.9, 1.0]))
scored = st.lists(st.tuples(confidences, st.booleans(), st.booleans()), min_size=1, max_size=80)


@given(scored)
def test_bins_hold_every_row_and_give_the_calibration_error(rows: list[tuple[float, bool, bool]]) -> None:
    confidence, right = [row[0] for row in rows], [row[1] for row in rows]
    bins = [(part.confidence, part.accuracy.value or 0.0, part.accuracy.n) for part in reliability(confidence, right)]
    error = calibration_error(confidence, right).value

    assert sum(count for _, _, count in bins) == len(rows)
    assert error is not None
    assert abs(sum(count * abs(sure - rate) for sure, rate, count in bins) / len(rows) - error) < ROUNDING


@given(scored.filter(lambda rows: any(row[2] for row in rows)))
def test_coverage_never_falls_and_risk_ends_at_the_share_of_wrong_rows(rows: list[tuple[float, bool, bool]]) -> None:
    right = [row[1] for row in rows]
    curve = risk_coverage([row[0] for row in rows], right, [row[2] for row in rows])

    assert (np.diff(curve.coverage) >= 0).all() and (np.diff(curve.accepted) > 0).all()
    assert abs(curve.risk[-1] - right.count(False) / len(right)) < ROUNDING
    assert -ROUNDING <= area_under(curve) <= 1.0 + ROUNDING
    assert len(thinned(curve, points=5).risk) <= 5

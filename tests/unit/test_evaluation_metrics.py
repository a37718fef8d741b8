"""Metrics, against figures worked out elsewhere."""

from __future__ import annotations

import pytest
from scipy.stats import binom
from sklearn.metrics import f1_score

from evaluation.metrics import (
    Measure,
    calibration_error,
    clopper_pearson_lower,
    coverage_at,
    macro_f1,
    share,
    share_lower_bound,
    wilson,
)

EXACT = 1e-12  # the same formula in float64
PRINTED = 5e-5  # references print four digits


def test_clopper_pearson_all_right_is_the_root_of_the_chance() -> None:
    assert clopper_pearson_lower(59, 59) == pytest.approx(0.05 ** (1 / 59), abs=EXACT)


def test_fifty_nine_right_of_fifty_nine_are_the_fewest_that_show_95_percent() -> None:
    assert clopper_pearson_lower(58, 58) < 0.95 <= clopper_pearson_lower(59, 59)


def test_clopper_pearson_leaves_a_chance_of_5_percent() -> None:
    bound = clopper_pearson_lower(45, 50)

    assert binom.sf(44, 50, bound) == pytest.approx(0.05, abs=1e-9)  # beta.ppf is iterative


def test_clopper_pearson_of_nothing_right_is_zero() -> None:
    assert clopper_pearson_lower(0, 10) == 0.0


def test_wilson_interval_of_81_in_263() -> None:
    low, high = wilson(81, 263)  # Newcombe (1998), table I, method 3

    assert low == pytest.approx(0.2553, abs=PRINTED)
    assert high == pytest.approx(0.3662, abs=PRINTED)


def test_wilson_interval_keeps_to_zero_and_one() -> None:
    assert wilson(0, 20)[0] == 0.0
    assert wilson(20, 20)[1] == 1.0


def test_macro_f1_agrees_with_scikit_learn() -> None:
    gold = ["a", "a", "b", "c", "c", "c", "b"]
    got = ["a", "b", "b", "c", "d", "a", "d"]
    wanted = f1_score(gold, got, labels=["a", "b", "c"], average="macro", zero_division=0)

    measured = macro_f1(gold, got, classes={"a", "b", "c"})

    assert measured.value == pytest.approx(wanted, abs=EXACT)


def test_calibration_error_of_two_bins_by_hand() -> None:
    confidence = [0.6] * 10 + [0.9] * 10
    right = [True] * 5 + [False] * 5 + [True] * 10

    # 20 rows in 15 bins; every bin lies in one of the two levels, whose gaps are 0.1 each
    assert calibration_error(confidence, right).value == pytest.approx(0.1, abs=EXACT)


def test_calibration_error_weighs_levels_by_their_rows() -> None:
    confidence, right = [0.6] * 18 + [0.9] * 2, [True, False] * 9 + [False, False]

    assert calibration_error(confidence, right).value == pytest.approx((18 * 0.1 + 2 * 0.9) / 20, abs=EXACT)


def test_calibration_error_lets_gaps_inside_a_bin_cancel() -> None:
    lower = [0.5 + 0.02 * number for number in range(15)]  # 30 rows: each bin holds one such pair
    pairs = [(rate, False) for rate in lower] + [(rate + 0.01, True) for rate in lower]

    measured = calibration_error([rate for rate, _ in pairs], [right for _, right in pairs])

    assert measured.value == pytest.approx(sum(abs(rate + rate + 0.01 - 1) for rate in lower) / 30, abs=EXACT)


def test_calibration_error_of_honest_confidence_is_zero() -> None:
    assert calibration_error([0.75] * 4, [True, True, True, False]).value == pytest.approx(0.0, abs=EXACT)


def test_coverage_goes_as_far_as_the_accuracy_holds() -> None:
    confidence = [0.9, 0.8, 0.7, 0.6]
    measured = coverage_at(0.75, confidence=confidence, right=[True, True, False, True], wanted=[True] * 4)

    assert measured.value == pytest.approx(1.0)


def test_coverage_stops_before_a_tie_it_cannot_cut() -> None:
    confidence = [0.9, 0.5, 0.5]
    measured = coverage_at(1.0, confidence=confidence, right=[True, True, False], wanted=[True] * 3)

    assert measured.value == pytest.approx(1 / 3)


def test_coverage_counts_wanted_rows_only() -> None:
    measured = coverage_at(0.5, confidence=[0.9, 0.8], right=[False, True], wanted=[False, True])

    assert measured.value == pytest.approx(1.0)
    assert measured.n == 1


def test_coverage_is_zero_when_the_surest_match_is_wrong_already() -> None:
    measured = coverage_at(0.95, confidence=[0.9, 0.8], right=[False, True], wanted=[True, True])

    assert measured.value == pytest.approx(0.0)


@pytest.mark.parametrize(
    "measured",
    [
        share([]),
        share_lower_bound([]),
        macro_f1([], [], classes=set()),
        calibration_error([], []),
        coverage_at(0.95, confidence=[0.9], right=[True], wanted=[False]),
    ],
)
def test_no_row_gives_no_value(measured: Measure) -> None:
    assert (measured.value, measured.n) == (None, 0)

"""What a reliability diagram and a risk-coverage curve say about confidences whose truth is known."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from evaluation.metrics import BINS, calibration_error, wilson
from evaluation.outcomes import Judged
from evaluation.reliability import bin_edges, binned_error, calibration_error_with_interval, reliability
from evaluation.selective import POINTS, area_under, risk_coverage, thinned
from evaluation.suites.calibration import HEADS, POOLED, calibrations
from tests.fakes_evaluation import make_judged, make_row

ROUNDING = 1e-9  # sums in another order differ in the last digits


def honest(rows: int = 10_000) -> tuple[list[float], list[bool]]:
    """Confidences from 0.05 to 0.95, each right exactly as often as it says."""
    levels = [round(0.05 + 0.1 * step, 2) for step in range(10)]
    each = rows // len(levels)
    return [level for level in levels for _ in range(each)], [place < round(level * each) for level in levels for place in range(each)]


def judged_of(confidence: list[float], right: list[bool], file: str = "test-1.jsonl") -> list[Judged]:
    rows = [make_row(place=f"{file}:{number}") for number in range(1, len(right) + 1)]
    entries = ["ship-when" if hit else "cancel-how" for hit in right]
    pairs = zip(rows, confidence, entries, strict=True)
    return [make_judged(row, confidence=sure, intent_confidence=sure, entry=entry) for row, sure, entry in pairs]


def test_honest_confidence_has_no_calibration_error() -> None:
    measure = calibration_error_with_interval(*honest())

    assert measure.value == pytest.approx(0.0, abs=1e-3)
    assert (measure.low, measure.n) == (0.0, 10_000)
    assert measure.high is not None and measure.high < 0.02


def test_confidence_of_nine_tenths_that_is_right_half_the_time_is_off_by_four_tenths() -> None:
    measure = calibration_error_with_interval([0.9] * 200, [True, False] * 100)

    assert measure.value == pytest.approx(0.4)
    assert measure.low is not None and measure.high is not None
    assert 0.3 < measure.low < 0.4 < measure.high < 0.5


def test_two_levels_that_are_too_sure_are_weighted_by_their_rows() -> None:
    # by hand: 30 rows say 0.8 and 15 are right, 10 rows say 0.6 and 4 are right: (30 * 0.3 + 10 * 0.2) / 40
    confidence, right = [0.8] * 30 + [0.6] * 10, [True] * 15 + [False] * 15 + [True] * 4 + [False] * 6

    assert calibration_error_with_interval(confidence, right).value == pytest.approx(0.275)


def test_more_rows_narrow_the_interval() -> None:
    few, many = (calibration_error_with_interval([0.9] * n, [True, False] * (n // 2)) for n in (40, 4000))

    assert few.low is not None and few.high is not None and many.low is not None and many.high is not None
    assert many.high - many.low < few.high - few.low


def test_no_rows_have_no_error_and_no_bins() -> None:
    assert calibration_error_with_interval([], []).value is None
    assert reliability([], []) == ()


def test_the_order_of_rows_changes_neither_error_nor_interval() -> None:
    rows = list(zip(*honest(300), strict=True))
    shuffled = random.Random(3).sample(rows, len(rows))
    one, other = (calibration_error_with_interval([r[0] for r in each], [r[1] for r in each]) for each in (rows, shuffled))

    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high), abs=ROUNDING)


def test_the_quick_error_of_a_draw_is_the_calibration_error() -> None:
    source = np.random.default_rng(5)
    for rows in (1, 14, 15, 16, 200):
        confidence = source.random(rows).round(2)  # rounded, so that rows share levels across the edges of bins
        right = source.random(rows) < confidence
        quick = binned_error(np.unique(confidence, return_inverse=True)[1], confidence - right, bin_edges(rows))

        assert quick == pytest.approx(calibration_error(confidence.tolist(), right.tolist()).value, abs=ROUNDING)


def test_bins_hold_every_row_once_and_as_many_each() -> None:
    bins = reliability(*honest(1003))
    sizes = [part.accuracy.n for part in bins]

    assert (len(bins), sum(sizes)) == (BINS, 1000)
    assert max(sizes) - min(sizes) <= 1
    assert all(low.confidence <= high.confidence for low, high in pairwise(bins))


def test_a_bin_carries_the_wilson_interval_of_its_accuracy() -> None:
    (only,) = reliability([0.7] * 10, [True] * 6 + [False] * 4, bins=1)

    assert (only.confidence, only.accuracy.value) == pytest.approx((0.7, 0.6))
    assert only.accuracy.n == 10
    assert (only.accuracy.low, only.accuracy.high) == pytest.approx(wilson(6, 10))


def test_the_bins_give_the_error_that_is_reported() -> None:
    confidence, right = honest(777)
    bins = reliability(confidence, right)
    total = sum(part.accuracy.n * abs(part.confidence - (part.accuracy.value or 0.0)) for part in bins) / sum(p.accuracy.n for p in bins)

    assert total == pytest.approx(calibration_error(confidence, right).value, abs=ROUNDING)


def test_a_looser_threshold_never_covers_or_accepts_less() -> None:
    source = random.Random(7)
    confidence = [round(source.random(), 2) for _ in range(400)]
    curve = risk_coverage(confidence, [source.random() < sure for sure in confidence], [source.random() < 0.8 for _ in confidence])

    assert (np.diff(curve.thresholds) < 0).all()
    assert (np.diff(curve.coverage) >= 0).all() and (np.diff(curve.accepted) > 0).all()
    assert (curve.coverage[-1], curve.accepted[-1]) == (1.0, 1.0)
    assert ((curve.low <= curve.risk + ROUNDING) & (curve.risk <= curve.high + ROUNDING)).all()


def test_the_curve_of_three_messages_is_as_counted_by_hand() -> None:
    # accepted in turn: right, wrong, right without a labelled entry of its own
    curve = risk_coverage([0.9, 0.8, 0.7], [True, False, True], [True, True, False])

    assert curve.risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3])
    assert curve.coverage.tolist() == pytest.approx([1 / 2, 1, 1])
    assert area_under(curve) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)


def test_messages_of_one_confidence_are_accepted_together() -> None:
    curve = risk_coverage([0.5, 0.5, 0.5, 0.5], [True, True, True, False], [True] * 4)

    assert curve.risk.tolist() == pytest.approx([0.25])
    assert area_under(curve) == pytest.approx(0.25)


def test_confidence_that_sorts_right_from_wrong_has_the_smaller_area() -> None:
    right = [True] * 80 + [False] * 20
    rising = [number / 100 for number in range(100)]

    sorting, misleading = (area_under(risk_coverage(sure, right, [True] * 100)) for sure in (rising[::-1], rising))

    assert sorting < 0.05 < misleading


def test_a_report_keeps_few_points_of_a_curve_and_both_ends() -> None:
    confidence, right = [number / 1000 for number in range(1000)], [number % 3 > 0 for number in range(1000)]
    whole = risk_coverage(confidence, right, [True] * 1000)
    few = thinned(whole)

    assert len(few.risk) == POINTS
    assert (few.thresholds[0], few.thresholds[-1]) == (whole.thresholds[0], whole.thresholds[-1])
    assert thinned(few).risk.tolist() == few.risk.tolist()


def test_every_file_is_examined_and_all_of_them_pooled() -> None:
    one, two = judged_of([0.9] * 4, [True] * 4), judged_of([0.9] * 6, [False] * 6, "test-2.jsonl")

    found = calibrations([*one, *two])

    assert [(part.part, part.rows) for part in found] == [(POOLED, 10), ("test-1.jsonl", 4), ("test-2.jsonl", 6)]
    assert [part.heads["match"].error.value for part in found] == pytest.approx([0.5, 0.1, 0.9])
    assert all(set(part.heads) == set(HEADS) for part in found)


def test_one_file_is_the_pool_itself() -> None:
    assert [part.part for part in calibrations(judged_of([0.9], [True]))] == [POOLED]


def test_rows_without_an_intent_are_left_out_of_its_calibration() -> None:
    (found,) = calibrations([make_judged(make_row(intent=None)), make_judged()])

    assert (found.heads["intent"].error.n, found.heads["match"].error.n, found.heads["sentiment"].error.n) == (1, 2, 2)


def test_a_file_without_answerable_rows_has_no_risk_coverage() -> None:
    (found,) = calibrations([make_judged(make_row(faq=None))])

    assert found.selection is None

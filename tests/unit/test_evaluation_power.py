"""What a number of rows can decide, against figures worked out elsewhere."""

from __future__ import annotations

from math import comb

import pytest

from evaluation.metrics import Measure, clopper_pearson_lower
from evaluation.power import (
    MOST_ROWS,
    accuracy_needed,
    chance_to_pass,
    hits_needed,
    least_accepted,
    most_accepted,
    power_statement,
    rows_needed,
)

EXACT = 1e-9  # the same tail by two ways in float64


def tail(hits: int, rows: int, rate: float) -> float:
    """Chance of ``hits`` or more right answers, summed term by term."""
    return sum(comb(rows, k) * rate**k * (1 - rate) ** (rows - k) for k in range(hits, rows + 1))


def test_fifty_eight_rows_can_never_show_95_percent_and_fifty_nine_can_when_all_are_right() -> None:
    assert hits_needed(58, 0.95) is None
    assert hits_needed(59, 0.95) == 59


def test_the_right_answers_needed_are_those_whose_bound_reaches_the_limit() -> None:
    hits = hits_needed(537, 0.95)

    assert hits is not None
    assert clopper_pearson_lower(hits - 1, 537) < 0.95 <= clopper_pearson_lower(hits, 537)


def test_an_engine_exactly_at_the_limit_passes_with_at_most_five_percent() -> None:
    assert 0.02 < chance_to_pass(537, 0.95, 0.95) <= 0.05


def test_the_chance_to_pass_is_the_binomial_tail() -> None:
    hits = hits_needed(200, 0.9)

    assert hits is not None
    assert chance_to_pass(200, 0.9, 0.93) == pytest.approx(tail(hits, 200, 0.93), abs=EXACT)


def test_with_one_way_to_pass_the_accuracy_needed_is_a_root() -> None:
    # 59 of 59 must be right: accuracy ** 59 = 0.8
    assert accuracy_needed(59, 0.95) == pytest.approx(0.8 ** (1 / 59), abs=EXACT)


def test_too_few_rows_leave_no_accuracy_that_passes() -> None:
    assert accuracy_needed(58, 0.95) is None
    assert chance_to_pass(58, 0.95, 1.0) == 0.0


def test_a_limit_of_zero_always_passes_and_a_limit_of_one_never() -> None:
    assert (hits_needed(10, 0.0), accuracy_needed(10, 0.0)) == (0, 0.0)
    assert (hits_needed(10, 1.0), accuracy_needed(10, 1.0)) == (None, None)


def test_the_rows_needed_come_after_the_last_number_of_rows_that_falls_short() -> None:
    rows = rows_needed(0.9, 0.96)

    assert rows is not None
    short = [n for n in range(1, 4 * rows) if chance_to_pass(n, 0.9, 0.96) < 0.8]
    assert short[-1] == rows - 1
    assert any(n not in short for n in range(1, rows)), "the saw-tooth, for which the first number that holds will not do"


@pytest.mark.parametrize(("limit", "accuracy"), [(0.95, 0.95), (0.95, 0.9), (0.5, 0.5001), (1.0, 1.0)])
def test_no_number_of_rows_shows_what_is_not_so_or_hardly_so(limit: float, accuracy: float) -> None:
    assert rows_needed(limit, accuracy) is None


def test_the_statement_says_what_the_rows_can_show_and_how_many_more_it_takes() -> None:
    assert power_statement(Measure(0.98, 537), 0.95) == (
        "over 537 rows an engine must be right 97.2% of the time to pass with a chance of 80%, and one that is right 97.0% "
        "of the time passes with 74% only; 694 rows would give an engine that is right 97.0% of the time 80%"
    )


def test_the_statement_about_enough_rows_asks_for_no_more() -> None:
    said = power_statement(Measure(0.98, 1142), 0.95)

    assert said.endswith("so one that is right 97.0% of the time passes with 96%")


def test_the_statement_about_hopelessly_few_rows_says_so() -> None:
    said = power_statement(Measure(0.9, 58), 0.95)

    assert said.startswith("over 58 rows not even an engine that is always right could pass; 694 rows would")


def test_the_statement_about_no_row_is_a_sentence_too() -> None:
    assert power_statement(Measure(None, 0), 0.95).startswith("over 0 rows not even")


def test_the_statement_near_one_asks_for_no_more_than_always_right() -> None:
    assert "right 100.0% of the time" in power_statement(Measure(1.0, 500), 0.99)
    assert f"not even {MOST_ROWS:,} rows would" in power_statement(Measure(1.0, 500), 1.0)


@pytest.mark.parametrize(("rows", "floor", "enough"), [(40, 0.9, 36), (58, 0.6, 35), (260, 0.02, 6), (10, 1.0, 10)])
def test_what_a_share_refuses_fails_with_eighty_percent(rows: int, floor: float, enough: int) -> None:
    refused = least_accepted(rows, floor)

    assert refused is not None and refused < floor
    assert 1 - tail(enough, rows, refused) == pytest.approx(0.8, abs=EXACT)


def test_a_ceiling_refuses_as_a_floor_under_the_rest_does() -> None:
    refused = most_accepted(300, 0.02)  # 6 are allowed, 7 are too many

    assert refused is not None and refused > 0.02
    assert tail(7, 300, refused) == pytest.approx(0.8, abs=EXACT)


def test_a_floor_that_nothing_misses_refuses_nothing() -> None:
    assert least_accepted(10, 0.0) is None
    assert most_accepted(10, 1.0) is None
    assert least_accepted(0, 0.5) is None

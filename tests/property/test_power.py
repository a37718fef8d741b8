"""What holds for the power of a lower-bound gate whatever the rows and limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from evaluation.metrics import ASSURANCE, Measure, clopper_pearson_lower
from evaluation.power import accuracy_needed, chance_to_pass, hits_needed, power_statement, rows_needed

ROUNDING = 1e-9  # beta quantiles are found by iteration

numbers = st.integers(0, 3000)
limits = st.floats(0.01, 0.99)


@given(numbers, limits)
def test_the_right_answers_needed_are_where_the_bound_passes_the_limit(rows: int, limit: float) -> None:
    hits = hits_needed(rows, limit)

    if hits is None:
        assert rows == 0 or clopper_pearson_lower(rows, rows) <= limit + ROUNDING
    else:
        assert clopper_pearson_lower(hits, rows) >= limit - ROUNDING
        assert clopper_pearson_lower(hits - 1, rows) <= limit + ROUNDING


@given(numbers, limits)
def test_an_engine_no_better_than_the_limit_passes_with_five_percent_at_most(rows: int, limit: float) -> None:
    assert chance_to_pass(rows, limit, limit) <= 1 - ASSURANCE + ROUNDING


@given(numbers, limits, st.floats(0, 1), st.floats(0, 1))
def test_a_better_engine_has_no_smaller_chance(rows: int, limit: float, one: float, other: float) -> None:
    worse, better = sorted((one, other))

    assert chance_to_pass(rows, limit, worse) <= chance_to_pass(rows, limit, better) + ROUNDING


@given(numbers, limits, st.floats(0.5, 0.99))
def test_the_accuracy_needed_gives_just_that_chance(rows: int, limit: float, chance: float) -> None:
    accuracy = accuracy_needed(rows, limit, chance=chance)

    if accuracy is not None:
        assert limit < accuracy < 1.0
        assert abs(chance_to_pass(rows, limit, accuracy) - chance) < 1e-6


@given(st.floats(0.5, 0.97), st.floats(0.02, 0.2), st.integers(0, 2000))
def test_from_the_rows_needed_on_the_chance_never_falls_short(limit: float, margin: float, further: int) -> None:
    accuracy = min(limit + margin, 1.0)
    rows = rows_needed(limit, accuracy)

    assert rows is not None
    assert chance_to_pass(rows + further, limit, accuracy) >= 0.8 - ROUNDING
    assert chance_to_pass(rows - 1, limit, accuracy) < 0.8


@given(st.floats(0, 1), numbers)
def test_the_statement_is_one_line_that_names_the_rows(limit: float, rows: int) -> None:
    said = power_statement(Measure(None, rows), limit)

    assert said.startswith(f"over {rows} rows ")
    assert "\n" not in said
    assert "nan" not in said

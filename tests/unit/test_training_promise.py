"""The promise: a threshold below which nothing unsafe slips, with the stated assurance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.promise import Promise, find_threshold

BUDGET, ASSURANCE = 0.05, 0.95


def promise(confidence: NDArray[np.float64], right: NDArray[np.bool_], *, budget: float = BUDGET) -> Promise:
    return find_threshold(confidence.astype(np.float32), right, budget=budget, assurance=ASSURANCE)


def shares_that_accept(generator: np.random.Generator, *, error: float, draws: int) -> float:
    """How often rows whose errors have nothing to do with their confidence yield a threshold at all."""
    accepted = 0
    for _ in range(draws):
        right = generator.random(400) >= error
        accepted += promise(generator.random(400), right).accepted > 0
    return accepted / draws


@pytest.mark.parametrize("error", [0.051, 0.07, 0.2])
def test_an_error_rate_above_the_budget_accepts_nothing_in_95_of_100_draws(error: float) -> None:
    # 300 draws: at the bound itself, 5 % of them have a standard deviation of 1.3 points
    assert shares_that_accept(np.random.default_rng(20261121), error=error, draws=300) <= 0.05 + 0.013


def test_the_risk_of_what_is_accepted_keeps_the_budget_in_95_of_100_draws() -> None:
    generator = np.random.default_rng(5)
    broken, draws = 0, 200
    for _ in range(draws):
        confidence = generator.random(600)
        # the chance of being right is the confidence itself: accepting from t up errs (1 - t) / 2 of the time
        found = promise(confidence, generator.random(600) < confidence, budget=0.2)
        broken += found.accepted > 0 and (1 - found.threshold) / 2 > 0.2

    assert broken / draws <= 0.05 + 0.016  # one standard deviation at the bound


def test_perfect_scores_accept_nearly_all() -> None:
    generator = np.random.default_rng(1)
    confidence = generator.random(1000)

    found = promise(confidence, np.ones(1000, np.bool_))

    assert found.accepted >= 990
    assert found.right == found.accepted
    assert found.rows == 1000


def test_confidence_that_separates_right_from_wrong_accepts_the_right() -> None:
    generator = np.random.default_rng(2)
    right = generator.random(2000) < 0.7
    confidence = np.where(right, generator.uniform(0.5, 1.0, 2000), generator.uniform(0.0, 0.5, 2000))

    found = promise(confidence, right)

    assert found.accepted >= right.sum()
    assert found.right >= 0.99 * right.sum()


@pytest.mark.parametrize("rows", [0, 1, 50, 199])
def test_too_few_rows_promise_nothing(rows: int) -> None:
    found = promise(np.linspace(0, 1, rows), np.ones(rows, np.bool_))

    assert found == Promise(1.01, 0, 0, rows)


def test_a_stricter_budget_never_accepts_more() -> None:
    generator = np.random.default_rng(3)
    confidence = generator.random(2000)
    right = generator.random(2000) < 0.7 + 0.3 * confidence

    loose, strict = promise(confidence, right, budget=0.2), promise(confidence, right, budget=0.1)

    assert strict.threshold >= loose.threshold
    assert strict.accepted <= loose.accepted


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(200, 600), st.sampled_from([0.0, 0.02, 0.3]), st.sampled_from([1, 2, 6]))
def test_the_promise_counts_what_its_threshold_accepts(seed: int, rows: int, error: float, digits: int) -> None:
    generator = np.random.default_rng(seed)
    confidence = np.round(generator.random(rows), digits).astype(np.float32)
    right = generator.random(rows) >= error

    found = find_threshold(confidence, right, budget=BUDGET, assurance=ASSURANCE)

    accepted = confidence >= found.threshold
    assert found.accepted == int(accepted.sum())
    assert found.right == int((accepted & right).sum())


def test_a_threshold_between_decimals_still_accepts_its_own_rows() -> None:
    confidence = np.full(500, 2 / 3, np.float32)

    found = find_threshold(confidence, np.ones(500, np.bool_), budget=BUDGET, assurance=ASSURANCE)

    assert int((confidence >= found.threshold).sum()) == found.accepted == 500

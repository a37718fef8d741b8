"""What holds for the small functions on probabilities whatever the numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from yingda.probability import log_odds, log_softmax, sigmoid, softmax, sum_by_group

ROUNDING = 1e-5  # float32 sums over a few dozen numbers

logits = (
    st.integers(1, 6)
    .flatmap(lambda width: st.lists(st.lists(st.floats(-80, 80, width=32), min_size=width, max_size=width), min_size=1, max_size=5))
    .map(lambda rows: np.asarray(rows, np.float32))
)


@given(logits)
def test_a_softmax_is_a_distribution(rows: NDArray[np.float32]) -> None:
    probabilities = softmax(rows)

    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(1), 1.0, atol=ROUNDING)


@given(logits)
def test_the_greatest_logit_keeps_the_greatest_probability(rows: NDArray[np.float32]) -> None:
    probabilities = softmax(rows)
    best = rows.argmax(1)

    assert (probabilities[np.arange(len(rows)), best] >= probabilities.max(1) - ROUNDING).all()


@given(logits, st.floats(-50, 50, width=32))
def test_a_shift_of_all_logits_changes_nothing(rows: NDArray[np.float32], shift: float) -> None:
    shifted = np.asarray(rows + np.float32(shift), np.float32)

    np.testing.assert_allclose(log_softmax(shifted), log_softmax(rows), atol=1e-3)  # numbers near 100 keep five digits


@given(logits)
def test_log_probabilities_are_finite_and_not_positive(rows: NDArray[np.float32]) -> None:
    result = log_softmax(rows)

    assert np.isfinite(result).all()
    assert (result <= ROUNDING).all()


@given(st.lists(st.floats(0.001, 0.999), min_size=1))
def test_sigmoid_undoes_log_odds(values: list[float]) -> None:
    probabilities = np.asarray(values, np.float32)

    np.testing.assert_allclose(sigmoid(log_odds(probabilities)), probabilities, atol=ROUNDING)


@given(st.lists(st.sampled_from([0.0, 1.0, 1e-30, 0.5]), min_size=1))
def test_log_odds_of_certainty_are_finite(values: list[float]) -> None:
    assert np.isfinite(log_odds(np.asarray(values, np.float32))).all()


@given(st.lists(st.floats(-1000, 1000, width=32), min_size=1))
def test_sigmoid_of_any_number_is_a_probability(values: list[float]) -> None:
    result = sigmoid(np.asarray(values, np.float32))

    assert ((result >= 0) & (result <= 1)).all()


@given(logits, st.data())
def test_sums_by_group_keep_the_total(rows: NDArray[np.float32], data: st.DataObject) -> None:
    probabilities, count = softmax(rows), 4
    groups = data.draw(st.lists(st.integers(0, count - 1), min_size=rows.shape[1], max_size=rows.shape[1]))

    summed = sum_by_group(probabilities, groups, count=count)

    np.testing.assert_allclose(summed.sum(1), 1.0, atol=ROUNDING)
    for group in range(count):
        mine = [column for column, owner in enumerate(groups) if owner == group]
        np.testing.assert_allclose(summed[:, group], probabilities[:, mine].sum(1), atol=ROUNDING)

"""The threshold of anger: tested where rows allow it, estimated where they are few, never out of reach."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from training.anger import FEWEST, AngerPromise, Method, fewest_to_test, promise_anger
from training.calibrate import HeldOut, angers
from training.params import load_params
from training.promise import find_threshold

BUDGET, ASSURANCE = 0.2, 0.95
REPOSITORY = Path(__file__).parents[2]


def promise(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> AngerPromise:
    return promise_anger(confidence.astype(np.float32), right, budget=BUDGET, assurance=ASSURANCE)


def rising(count: int) -> NDArray[np.float64]:
    return np.linspace(0.4, 0.99, count)


def test_the_fewest_rows_forgive_one_error_and_one_fewer_do_not() -> None:
    fewest = fewest_to_test(BUDGET, ASSURANCE)

    assert fewest == 22  # as docs/training.md says
    assert binom.cdf(1, fewest, BUDGET) <= 1 - ASSURANCE < binom.cdf(1, fewest - 1, BUDGET)


def test_rows_enough_are_tested_as_the_other_promises_are() -> None:
    confidence, right = rising(120).astype(np.float32), np.ones(120, np.bool_)
    right[:40:2] = False  # the least sure are often wrong

    found = promise_anger(confidence, right, budget=BUDGET, assurance=ASSURANCE)
    expected = find_threshold(confidence, right, budget=BUDGET, assurance=ASSURANCE, least=fewest_to_test(BUDGET, ASSURANCE))

    assert found.method is Method.TESTED
    assert (found.threshold, found.accepted, found.right) == (expected.threshold, expected.accepted, expected.right)
    assert binom.cdf(found.accepted - found.right, found.accepted, BUDGET) <= 1 - ASSURANCE


def test_what_the_test_cannot_tell_is_estimated() -> None:
    right = np.ones(60, np.bool_)
    right[::6] = False  # a sixth is wrong, however sure: within the budget, not with assurance

    found = promise(rising(60), right)

    assert found.method is Method.ESTIMATED
    assert found.accepted == 60
    assert found.threshold == pytest.approx(0.4)


def test_too_few_rows_leave_it_to_the_calibrated_confidence() -> None:
    found = promise(rising(FEWEST - 1), np.ones(FEWEST - 1, np.bool_))

    assert found.method is Method.CONFIDENCE
    assert found.threshold == 1 - BUDGET


def test_a_bundle_without_an_angry_row_still_hands_anger_over() -> None:
    found = promise(np.zeros(0), np.zeros(0, np.bool_))

    assert found == AngerPromise(1 - BUDGET, 0, 0, 0, BUDGET, Method.CONFIDENCE)


def test_anger_that_is_mostly_wrong_needs_the_confidence_of_the_budget() -> None:
    assert promise(rising(100), np.zeros(100, np.bool_)).threshold == 1 - BUDGET


@given(st.lists(st.tuples(st.floats(0.25, 1, width=32), st.booleans()), max_size=150))
def test_the_hand_off_is_never_switched_off_and_keeps_its_budget_on_the_rows(rows: list[tuple[float, bool]]) -> None:
    confidence, right = np.asarray([c for c, _ in rows], np.float64), np.asarray([r for _, r in rows], np.bool_)

    found = promise(confidence, right)

    assert 0 < found.threshold <= 1
    assert found.method is Method.CONFIDENCE or found.accepted - found.right <= BUDGET * found.accepted


def test_beside_an_urgent_hand_off_anger_keeps_the_budget_of_every_other_statement() -> None:
    right = np.ones(120, np.bool_)
    right[:40:2] = False
    judged = HeldOut(rising(120).astype(np.float32), right)
    params = load_params(REPOSITORY / "params.yaml").calibrate

    found = angers(judged, params)

    assert {name: each["error_budget"] for name, each in found.items()} == {
        "angry": params.anger_budget,
        "angry_beside": params.error_budget,
    }
    for name, each in found.items():
        budget = params.anger_budget if name == "angry" else params.error_budget
        assert each == asdict(promise_anger(judged.confidence, judged.right, budget=budget, assurance=params.assurance))
    assert str(found["angry_beside"]["threshold"]) > str(found["angry"]["threshold"])

"""What int8 may cost, headline by headline, and that thresholds are counted on rows that did not choose them."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from training.examples import IGNORED, SENTIMENTS, Example
from training.export_proof import (
    HEADLINES,
    OWN,
    Headline,
    Labels,
    Outcome,
    check,
    check_alone,
    compare,
    figures,
    find_cut,
    read_labels,
    record,
)
from training.params import CalibrateParams
from training.promise import find_threshold
from yingda.domain.errors import MaterialError
from yingda.domain.knowledge import Sentiment
from yingda.engine import Calibration
from yingda.retrieve.fusion import ConfidenceModel, FusionWeights, Views
from yingda.retrieve.index import FaqIndex
from yingda.retrieve.space import MatchSpace
from yingda.understand.intent import IntentWeights
from yingda.understand.sentiment import SentimentScaling

PARAMS = CalibrateParams(error_budget=0.05, anger_budget=0.2, assurance=0.9, folds=2, unanswerable_share=0.2, displeased_recall=0.9)
ROWS = 1200
ANGRY, NEUTRAL = SENTIMENTS.index(Sentiment.ANGRY), SENTIMENTS.index(Sentiment.NEUTRAL)


def labels(rows: int = ROWS) -> Labels:
    """All rows matched and meant, one of ten without an entry, one of ten angry."""
    number = np.arange(rows)
    return Labels(number % 10 != 0, np.ones(rows, bool), np.ones(rows, bool), np.where(number % 10 == 1, ANGRY, NEUTRAL))


def good(rows: int = ROWS) -> Outcome:
    """Right where it is sure: of the surest half all rows, of the others nine of ten."""
    number = np.arange(rows)
    confidence = np.random.default_rng(1).permutation(np.linspace(0.1, 0.99, rows)).astype(np.float32)
    right = (confidence > 0.5) | (number % 10 != 3)
    return Outcome(confidence, right, number % 10 != 5, labels(rows).mood.copy())


def compared(before: Outcome, after: Outcome, rows: int = ROWS) -> dict[str, Headline]:
    return compare(before, after, labels(rows), PARAMS, divisions=4, resamples=40)


def test_two_equal_sides_lose_nothing() -> None:
    found = compared(good(), good())

    assert tuple(found) == (*HEADLINES, *OWN)
    assert {(one.loss, one.low, one.high) for one in found.values()} == {(0, 0, 0)}
    check(found, allowed_loss=0.0)


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("faq_top1", lambda one: replace(one, match_right=one.match_right & (np.arange(ROWS) % 50 != 7))),
        ("intent_accuracy", lambda one: replace(one, intent_right=one.intent_right & (np.arange(ROWS) % 50 != 7))),
        ("sentiment_macro_f1", lambda one: replace(one, mood=np.where(np.arange(ROWS) % 50 == 7, ANGRY, one.mood))),
        ("displeased_recall", lambda one: replace(one, mood=np.where(np.arange(ROWS) % 50 == 1, NEUTRAL, one.mood))),
        ("match_accuracy", lambda one: replace(one, match_right=one.match_right & (np.arange(ROWS) % 10 != 7))),
        ("coverage", lambda one: replace(one, confidence=one.confidence * np.float32(0.8))),
    ],
)
def test_a_headline_that_int8_spoils_fails_by_name(name: str, spoil: object) -> None:
    found = compared(good(), spoil(good()))  # type: ignore[operator]

    one = found[name]
    assert one.loss > 0.005
    assert one.low is not None and one.high is not None
    assert one.low <= one.loss <= one.high
    with pytest.raises(MaterialError, match=rf"of {name}.*0\.005 is allowed"):
        check(found, allowed_loss=0.005)


def test_half_a_point_is_allowed_and_more_is_not() -> None:
    check({"coverage": Headline(0.6, 0.5951, 0.0, 0.01, 100)}, allowed_loss=0.005)
    with pytest.raises(MaterialError, match=r"int8 costs 0\.0051 of coverage"):
        check({"coverage": Headline(0.6, 0.5949, 0.0, 0.01, 100)}, allowed_loss=0.005)


def test_a_gain_is_no_loss_and_what_was_nothing_cannot_be_lost() -> None:
    check({"coverage": Headline(0.5, 0.6, -0.2, 0.0, 9), "match_accuracy": Headline(None, None, None, None, 9)}, allowed_loss=0.0)
    with pytest.raises(MaterialError, match="match_accuracy"):
        check({"match_accuracy": Headline(0.9, None, None, None, 9)}, allowed_loss=0.005)


def test_coverage_counts_each_fold_at_the_threshold_of_the_others() -> None:
    found, truth, folds, every = good(), labels(), np.arange(ROWS) % 2, np.arange(ROWS)

    accepted = 0
    for chosen in (folds == 1, folds == 0):
        promise = find_threshold(found.confidence[chosen], found.match_right[chosen], budget=0.05, assurance=0.9)
        accepted += int((truth.answerable & ~chosen & (found.confidence >= promise.threshold)).sum())

    got = figures(found, truth, every, [find_cut(found, truth, every, folds, PARAMS)])
    assert got["coverage"] == pytest.approx(accepted / truth.answerable.sum())
    assert 0.3 < got["coverage"] < 1


def test_a_threshold_of_its_own_is_told_and_not_judged() -> None:
    shy = Headline(0.6, 0.4, 0.1, 0.3, 100)

    check({"own_coverage": shy, "own_match_accuracy": shy}, allowed_loss=0.005)  # raises nothing

    with pytest.raises(MaterialError, match="coverage"):
        check({"coverage": shy}, allowed_loss=0.005)


def test_too_few_rows_for_a_promise_leave_match_accuracy_open() -> None:
    found = compared(good(200), good(200), rows=200)

    assert (found["coverage"].float32, found["match_accuracy"].float32) == (0, None)
    told = record(found, rows=200, allowed_loss=0.005, alone=1.23456e-7)
    assert told["headlines"]["match_accuracy"] == {"float32": None, "int8": None, "loss": 0.0, "low": None, "high": None, "rows": 200}
    assert told["alone_max_difference"] == pytest.approx(1e-7)


def test_rows_count_for_the_labels_they_have() -> None:
    rows = [
        Example("a", intent=0, match=0, sentiment=NEUTRAL),
        Example("b", intent=IGNORED, match=5, sentiment=IGNORED),
        Example("c", intent=1, match=IGNORED, sentiment=ANGRY),
    ]

    found = read_labels(rows, 3)

    assert found.answerable.tolist() == [True, False, False]
    assert found.matched.tolist() == [True, True, False]
    assert found.meant.tolist() == [True, False, True]
    assert found.mood.tolist() == [NEUTRAL, IGNORED, ANGRY]


class FakeIndex:
    """An index of two entries, which nobody asks for more than its classes."""

    space = MatchSpace(("a", "b"), np.asarray([0, 1, 0]), np.arange(3))


CALIBRATION = Calibration(
    FusionWeights(10.0, 0.5, 0.5, 0.1, 0.0, 0.0),
    ConfidenceModel((0.5,) * 7, 0.0),
    IntentWeights(0.5, 0.5),
    SentimentScaling(1.0, (0.0,) * 4),
)


def some_views(rows: int) -> Views:
    generator = np.random.default_rng(2)
    cosine, linear, intent = (generator.normal(size=(rows, width)).astype(np.float32) for width in (3, 3, 2))
    return Views(cosine, linear, np.zeros((rows, 3), np.float32), intent)


def test_rows_judged_alone_are_judged_as_among_others() -> None:
    assert check_alone(some_views(8), cast(FaqIndex, FakeIndex()), CALIBRATION) < 1e-5


class MovingIndex(FakeIndex):
    """An index that puts its classes elsewhere once it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    @property
    def space(self) -> MatchSpace:  # type: ignore[override]
        self.asked += 1
        return MatchSpace(("a", "b"), np.asarray([0, 1, 0] if self.asked == 1 else [1, 0, 1]), np.arange(3))


def test_a_row_judged_otherwise_alone_than_among_others_is_refused() -> None:
    with pytest.raises(MaterialError, match="alone and among others"):
        check_alone(some_views(4), cast(FaqIndex, MovingIndex()), CALIBRATION)

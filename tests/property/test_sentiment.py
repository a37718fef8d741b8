"""Choosing a feeling: displeasure is favoured when the label is chosen, and the probabilities stay as they are."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training.calibrate import fit_alertness
from training.examples import SENTIMENTS
from yingda.domain.knowledge import DISPLEASED
from yingda.understand.sentiment import SentimentScaling, choose, score_sentiments

BIAS = (0.0,) * len(SENTIMENTS)
logits = arrays(np.float32, st.tuples(st.integers(1, 30), st.just(len(SENTIMENTS))), elements=st.floats(-8, 8, width=32))


@given(logits, st.floats(0, 4))
def test_alertness_only_ever_turns_calm_labels_into_displeased_ones(rows: np.ndarray, alertness: float) -> None:
    calm, alert = (score_sentiments(rows, SENTIMENTS, SentimentScaling(1.0, BIAS, value)) for value in (0.0, alertness))

    for before, after in zip(calm, alert, strict=True):
        assert after.label == before.label or after.label in DISPLEASED
        assert after.scores == before.scores and after.confidence == after.scores[after.label]


@given(logits, st.floats(0.05, 0.99), st.data())
def test_the_fitted_alertness_is_the_least_that_reaches_the_recall(rows: np.ndarray, recall: float, data: st.DataObject) -> None:
    wanted = np.asarray(data.draw(st.lists(st.integers(0, len(SENTIMENTS) - 1), min_size=len(rows), max_size=len(rows))))
    unhappy = rows[[SENTIMENTS[label] in DISPLEASED for label in wanted]]

    alertness = fit_alertness(rows, wanted, recall=recall)

    def called(value: float) -> int:
        return sum(SENTIMENTS[label] in DISPLEASED for label in choose(unhappy, SENTIMENTS, value))

    needed = math.ceil(recall * len(unhappy))
    assert called(alertness) >= needed
    assert alertness == 0.0 or called(alertness - 3e-4) < needed

"""Views of sentiment beside the head: what helps is found, what does not is told, and no row vouches for itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from training.examples import SENTIMENTS, Example
from training.params import CalibrateParams, LinearParams
from training.sentiment_study import (
    Evidence,
    Judged,
    calibration_error,
    candidates,
    compare,
    cross_fitted,
    embedding_logits,
    figures,
    fit_stack,
    gain,
    marks,
    ngram_logits,
)
from yingda.domain.knowledge import Sentiment
from yingda.probability import softmax

PARAMS = CalibrateParams(error_budget=0.05, anger_budget=0.2, assurance=0.9, folds=3, unanswerable_share=0.2, displeased_recall=0.9)
POSITIVE, NEUTRAL, NEGATIVE, ANGRY = (SENTIMENTS.index(each) for each in Sentiment)
WANTED = np.arange(400) % 4


def noisy(strength: float, seed: int) -> np.ndarray:
    """Logits that lean towards the label."""
    return (np.random.default_rng(seed).normal(size=(len(WANTED), 4)) + strength * np.eye(4)[WANTED]).astype(np.float32)


def evidence(*views: np.ndarray) -> Evidence:
    return Evidence(np.stack(views), np.zeros((len(WANTED), 0), np.float32))


def test_probabilities_of_a_stack_sum_to_1() -> None:
    given = evidence(noisy(2, 1), noisy(1, 2))

    assert softmax(fit_stack(given, WANTED).logits(given)).sum(1) == pytest.approx(1.0, abs=1e-5)


def test_a_view_that_knows_more_gets_weight_and_one_that_knows_nothing_gets_next_to_none() -> None:
    telling = fit_stack(evidence(noisy(1, 1), noisy(2, 2)), WANTED)
    empty = fit_stack(evidence(noisy(1, 1), noisy(0, 3)), WANTED)

    assert telling.weights[1] > telling.weights[0] > 0
    assert abs(empty.weights[1]) < 0.2 < empty.weights[0]


def test_a_second_view_of_its_own_errors_helps_and_the_interval_says_so() -> None:
    alone, both = (
        cross_fitted(each, WANTED, folds=3, recall=0.9) for each in (evidence(noisy(1.5, 1)), evidence(noisy(1.5, 1), noisy(1.5, 2)))
    )

    low, high = gain(alone, both, WANTED)

    assert 0 < low < high
    assert gain(alone, alone, WANTED) == [0, 0]
    assert figures(both, WANTED, PARAMS)["log_loss"] < figures(alone, WANTED, PARAMS)["log_loss"]


def test_a_fold_is_judged_by_what_was_fitted_to_the_others() -> None:
    misled = evidence(noisy(3, 1))
    inside = np.arange(len(WANTED)) % 3 == 0
    lying = np.where(inside, (WANTED + 1) % 4, WANTED)

    honest, fooled = (cross_fitted(misled, labels, folds=3, recall=0.9) for labels in (WANTED, lying))

    np.testing.assert_array_equal(honest.logits[inside], fooled.logits[inside])


def test_figures_count_what_they_say() -> None:
    label = WANTED.copy()
    label[WANTED == NEUTRAL] = np.where(np.arange(100) < 25, NEGATIVE, NEUTRAL)
    sure = (8 * np.eye(4)[label]).astype(np.float32)

    found = figures(Judged(sure, label), WANTED, PARAMS)

    assert (found["displeased_recall"], found["calm_left_calm"]) == (1, 0.875)
    assert (found["anger_precision"], found["anger_recall"]) == (1, 1)
    assert found["macro_f1"] == pytest.approx((1 + 2 * 75 / 175 + 2 * 100 / 225 + 1) / 4, abs=1e-4)


def test_calibration_error_is_what_confidence_is_off() -> None:
    assert calibration_error(np.full(90, 0.75, np.float32), np.arange(90) % 3 != 0) == pytest.approx(0.75 - 2 / 3, abs=1e-6)


def test_marks_tell_shouting_from_asking() -> None:
    found = marks(["发货!!", "发货??", "发货"])

    assert found.shape == (3, 6)
    assert found[0, :2].all() and not found[0, 2:5].any()
    assert found[1, 2:4].all() and not found[1, :2].any()
    assert not found[2, :5].any() and found[2, 5] > 0


def test_ngrams_and_embeddings_learn_moods_and_a_mood_without_a_row_is_unlikely(tmp_path: Path) -> None:
    texts = {NEUTRAL: "多久发货", NEGATIVE: "太慢了吧", ANGRY: "骗子滚蛋"}
    rows = [Example(text + tail, 0, 0, mood) for mood, text in texts.items() for tail in "啊呀哦呢"]
    (tmp_path / "linear.json").write_text(json.dumps({"grams": sorted(set("".join(row.text for row in rows)))}), "utf-8")
    params = LinearParams(longest_gram=1, min_documents=1, strength=1.0, iterations=200, tolerance=1e-4)

    by_grams = ngram_logits(rows, list(texts.values()), tmp_path, params)
    vectors = np.eye(4, dtype=np.float32)[[row.sentiment for row in rows]]
    by_vectors = embedding_logits(vectors, rows, np.eye(4, dtype=np.float32)[list(texts)])

    for found in (by_grams, by_vectors):
        assert found.argmax(1).tolist() == list(texts)
        assert found.argmin(1).tolist() != list(texts)
        assert (found[:, POSITIVE] <= found.min(1)).all()


def test_two_moods_are_told_apart() -> None:
    rows = [Example("", 0, 0, mood) for mood in (NEUTRAL, ANGRY) * 3]
    vectors = np.asarray([[row.sentiment == ANGRY] for row in rows], np.float32)

    assert embedding_logits(vectors, rows, vectors).argmax(1).tolist() == [row.sentiment for row in rows]


def test_every_way_is_judged_on_both_parts_and_the_served_one_gains_nothing() -> None:
    ways = candidates(
        noisy(2, 1), noisy(1, 2), noisy(1, 3), np.random.default_rng(4).normal(size=(400, 5)).astype(np.float32), ["慢!"] * 400
    )

    report = list(compare(ways, WANTED, ways, WANTED, PARAMS))

    first = [row for row in report if row["wanted_recall"] == 0.9]
    assert [(row["judged_on"], row["views"]) for row in first] == [(part, name) for part in ("calibrate", "select") for name in ways]
    assert {row["wanted_recall"] for row in report} == {0.9, 0.92, 0.95}
    assert all(row["macro_f1_gain"] == [0, 0] for row in report if row["views"] == "head")
    assert all(row["displeased_recall"] >= row["wanted_recall"] for row in report if row["judged_on"] == "select")

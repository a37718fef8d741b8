"""Arithmetic of the benchmark's figures and the page that shows them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from training.benchmark.classify import calibrate, classes_of, index_of, numbers_of, outcome_of
from training.benchmark.figures import (
    Outcome,
    calibration_error,
    choose_threshold,
    class_figures,
    cosine_threshold,
    pair_figures,
    pooled,
    scope_figures,
)
from training.benchmark.rows import TextRow
from training.benchmark.sets import SETS
from training.benchmark.table import to_markdown
from training.examples import IGNORED
from yingda.domain.errors import MaterialError
from yingda.probability import log_softmax
from yingda.retrieve.fusion import Views


def outcome(wanted: list[int], predicted: list[int], confidence: list[float]) -> Outcome:
    return Outcome(wanted, predicted, confidence, predicted, predicted)


def test_accuracy_counts_labels_that_training_never_saw_as_wrong() -> None:
    found = class_figures(outcome([0, 1, 1, IGNORED], [0, 1, 0, 0], [0.9, 0.8, 0.7, 0.6]))

    assert found["accuracy"] == pytest.approx(0.5)
    assert found["accuracy_low"] < 0.5 < found["accuracy_high"]
    assert found["macro_f1"] == pytest.approx((1 / 2 + 2 / 3 + 0) / 3, abs=1e-4)


def test_calibration_error_of_sure_and_right_rows_is_none() -> None:
    right = np.array([True] * 30 + [False] * 30)

    assert calibration_error(np.where(right, 1.0, 0.0), right) == pytest.approx(0.0)
    assert calibration_error(np.full(60, 0.9), right) == pytest.approx(0.4)


def test_folds_are_judged_together() -> None:
    both = pooled([outcome([0], [0], [0.5]), outcome([1, 2], [1, 1], [0.6, 0.7])])

    assert (both.wanted, both.predicted, both.confidence) == ([0, 1, 2], [0, 1, 1], [0.5, 0.6, 0.7])


def test_the_threshold_lies_halfway_between_the_rows_it_parts() -> None:
    confidence, right = np.array([0.9, 0.8, 0.3, 0.2]), np.array([True, True, False, False])
    inside = np.array([1.0, 1.0, -1.0, -1.0])

    assert choose_threshold(confidence, right, inside) == pytest.approx(0.55)
    assert choose_threshold(confidence, right, np.ones(4)) == pytest.approx(0.2)
    assert choose_threshold(confidence, np.zeros(4, bool), -np.ones(4)) > 0.9


def test_the_price_of_a_stranger_moves_the_threshold() -> None:
    confidence = np.array([0.9, 0.7, 0.6, 0.5, 0.4])
    right = np.array([True, False, True, True, False])
    inside = np.array([True, False, True, True, False])

    cheap = choose_threshold(confidence, right, np.where(inside, 1.0, -1.0))
    dear = choose_threshold(confidence, right, np.where(inside, 1.0, -5.0))

    assert [cheap, dear] == pytest.approx([0.45, 0.8])


def test_equal_confidences_are_never_parted() -> None:
    threshold = choose_threshold(np.array([0.5, 0.5, 0.5]), np.array([True, True, False]), np.array([1.0, 1.0, -1.0]))

    assert threshold == pytest.approx(0.5)


def test_out_of_scope_is_judged_by_a_threshold_of_the_development_rows() -> None:
    outside = 2
    dev = outcome([0, 1, 0, outside], [0, 1, 1, 0], [0.9, 0.8, 0.5, 0.3])
    test = outcome([0, 1, 1, outside, outside], [0, 1, 1, 0, 1], [0.95, 0.85, 0.2, 0.1, 0.9])

    found = scope_figures(dev, test, outside, 0.25)

    assert found["threshold"] == pytest.approx(0.4)
    assert found["in_scope_accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["out_of_scope_recall"] == pytest.approx(0.5)
    assert found["auroc"] == pytest.approx(4 / 6, abs=1e-4)
    assert found["in_scope_accuracy_without_threshold"] == pytest.approx(1.0)


def test_pairs_are_the_same_above_the_cosine_that_says_so_best() -> None:
    cosine, same = np.array([-0.9, -0.5, 0.4, 0.8]), np.array([False, False, True, True])
    threshold = cosine_threshold(cosine, same)

    found = pair_figures(cosine, same, np.array([0.1, 0.2, 0.8, 0.9]), threshold)

    assert threshold == pytest.approx(-0.05)
    assert (found["accuracy"], found["auroc"]) == (1.0, 1.0)
    assert found["ece"] == pytest.approx(0.15)
    assert cosine_threshold(cosine, np.ones(4, bool)) == pytest.approx(-0.9)


def test_the_label_of_strangers_is_an_intent_without_an_entry() -> None:
    rows = [TextRow("x", "b"), TextRow("y", "oos"), TextRow("z", "a")]

    classes = classes_of(rows, "oos")

    assert (classes.intents, classes.matches) == (("a", "b", "oos"), ("a", "b", "none:oos"))
    assert numbers_of([*rows, TextRow("w", "new")], classes) == [1, 2, 0, IGNORED]
    assert classes_of(rows, None).matches == ("a", "b", "oos")
    with pytest.raises(MaterialError, match="two labels"):
        classes_of(rows[:2], "oos")


def fitted_views(rows: int, *, seed: int) -> tuple[Views, np.ndarray[Any, np.dtype[np.intp]]]:
    """Three classes, of which the n-gram view knows the right one two times in three and the others do not."""
    generator = np.random.default_rng(seed)
    wanted = generator.integers(0, 3, rows)
    guess = np.where(generator.random(rows) < 0.67, wanted, generator.integers(0, 3, rows))

    def noise() -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.asarray(generator.normal(size=(rows, 3)), np.float32)

    linear = log_softmax(np.asarray(3.0 * np.eye(3)[guess], np.float32))
    return Views(0.1 * noise(), linear, np.zeros((rows, 3), np.float32), log_softmax(noise())), wanted


@pytest.mark.parametrize("outside", [None, "c"])
def test_fusion_listens_to_the_view_that_knows(outside: str | None) -> None:
    classes = classes_of([TextRow("", name) for name in "abc"], outside)
    index = index_of(classes, np.eye(3, dtype=np.float32))
    views, wanted = fitted_views(400, seed=1)
    other, truth = fitted_views(400, seed=2)

    fitted = calibrate(views, index, wanted, 10.0, unanswerable_share=0.2)
    found = outcome_of(other, index, fitted, truth.tolist())

    inside = truth < len(index.space.entries)
    assert fitted.fusion.linear > fitted.fusion.dense
    assert found.right[inside].mean() == pytest.approx((np.asarray(found.ngrams) == truth)[inside].mean(), abs=0.06)
    assert set(found.predicted) <= set(range(len(index.space.entries)))
    if outside is None:
        assert calibration_error(np.asarray(found.confidence), found.right) < 0.1


def test_calibration_rows_that_are_all_right_still_give_a_confidence() -> None:
    classes = classes_of([TextRow("", name) for name in "ab"], None)
    index = index_of(classes, np.eye(2, dtype=np.float32))
    wanted = np.array([0, 1] * 5)
    sure = np.asarray(np.eye(2)[wanted], np.float32)
    views = Views(sure, log_softmax(9 * sure), np.zeros((10, 2), np.float32), log_softmax(9 * sure))

    fitted = calibrate(views, index, wanted, 10.0, unanswerable_share=0.2)

    assert outcome_of(views, index, fitted, wanted.tolist()).right.all()
    assert fitted.confidence.bias == pytest.approx(np.log(11), abs=1e-3)


def record(name: str, figures: dict[str, float], trial: int | None = None) -> dict[str, Any]:
    facts: dict[str, Any] = {"fitted_on": 9000, "calibrated_on": 1000, "layers": 12, "epochs": 6, "precision": "float32", "device": "cpu"}
    facts |= {"seconds": 600.0, "cpu_seconds": 540.0}
    return {"name": name, "figures": figures, "trial_rows": trial, "judged": 1996, "trainings": [facts], "data_sha256": "ab" * 32}


FIGURES = {"accuracy": 0.8512, "accuracy_low": 0.83, "accuracy_high": 0.87, "macro_f1": 0.8, "ece": 0.021}


def test_the_table_shows_ours_target_human_best_published_and_licence() -> None:
    page = to_markdown([record("dataclue_cic", FIGURES)], 12)

    assert "| dataclue_cic | intent, zh | 1996 | accuracy | **85.1 [83.0, 87.0]** | 85.0, met | 63.8 | 87.4 (clean test split) |" in page
    assert "| 87.4 (clean test split) | – | 2.1 | none stated |" in page, "our own run of a simple system is nothing published"
    assert all(found.source in page for found in SETS["dataclue_cic"].published)
    assert "A trial" not in page


def test_out_of_scope_has_a_line_of_its_own() -> None:
    figures = {"in_scope_accuracy": 0.966, "out_of_scope_recall": 0.711, "auroc": 0.97, "ece": 0.01}

    page = to_markdown([record("clinc150", figures)], 12)

    assert (
        "| clinc150 | intent, en | 1996 | in-scope accuracy | **96.6** | 96.5, met | 92.6 | – | 96.9 BERT, oos-train | 1.0 | CC BY 3.0 |"
        in page
    )
    assert "| out-of-scope recall | **71.1** | 70.0, met | – | – | 52.3 BERT, oos-threshold |" in page


def test_a_trial_is_called_one() -> None:
    assert "**A trial on at most 300 rows of each part" in to_markdown([record("banking77", FIGURES, trial=300)], 12)


def test_folds_that_were_left_out_are_told() -> None:
    partly = {**record("waimai_10k", FIGURES), "folds": 5}
    whole = {**partly, "trainings": partly["trainings"] * 5}

    assert "5-fold, judged by the first 1 of 5 folds alone; trained on 9,000 rows" in to_markdown([partly], 12)
    assert "5-fold; trained on 9,000 rows" in to_markdown([whole], 12)


def test_a_paused_training_tells_the_processors_minutes() -> None:
    on_gpu = record("banking77", FIGURES)
    on_gpu["trainings"][0]["device"] = "cuda"

    assert "9 processor minutes of training on cpu" in to_markdown([record("banking77", FIGURES)], 12)
    assert "10 minutes of training on cuda" in to_markdown([on_gpu], 12)


def test_another_depth_than_that_of_the_shipped_encoder_is_told() -> None:
    page = to_markdown([record("banking77", FIGURES)], 6)
    assert "public data sets, but **with 12 layers; the shipped encoder has 6**: one encoder" in page
    assert "85.1 [83.0, 87.0]** | 93.5, missed |" in page
    assert "but **with" not in to_markdown([record("banking77", FIGURES)], 12)

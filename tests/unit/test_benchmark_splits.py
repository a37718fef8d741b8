"""Which rows train and which judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.benchmark.matching import question_classes
from training.benchmark.rows import Material, PairRow, TextRow
from training.benchmark.sets import Scheme
from training.benchmark.splits import Parts, deal_pairs, deal_texts, hold_out, thin
from training.benchmark.tuning import settings_for
from training.params import load_params
from yingda.domain.errors import MaterialError

PARAMS = load_params(Path(__file__).parents[2] / "params.yaml")
WORDS = "一丁七万丈三上下不与丐丑专且世丘丙业丛东丝丢两严丧个中丰串临丸丹为主丽举乃久么义之乌乍乎乏乐乒乓乔"
ROWS = tuple(TextRow(f"{char}{other}", f"label-{n % 3}") for n, (char, other) in enumerate(zip(WORDS, WORDS[::-1], strict=True)))


def test_every_row_is_judged_once_and_equal_texts_stay_together() -> None:
    rows = (*ROWS, TextRow(ROWS[0].text, "label-1"), TextRow(ROWS[1].text, "label-1"))

    deals = deal_texts(Material({"all": rows}), Scheme.FOLDS, seed=1)

    assert len(deals) == 5
    assert sorted(row.text for parts in deals for row in parts.test) == sorted(row.text for row in rows)
    assert all(not {row.text for row in parts.train} & {row.text for row in parts.test} for parts in deals)
    assert all({row.label for row in parts.test} == {"label-0", "label-1", "label-2"} for parts in deals)


def test_too_few_rows_for_five_folds_are_refused() -> None:
    with pytest.raises(MaterialError, match="4 rows are too few for 5 folds"):
        deal_texts(Material({"all": ROWS[:4]}), Scheme.FOLDS, seed=1)


def test_published_parts_are_taken_as_they_are() -> None:
    material = Material({"train": ROWS[:3], "test": ROWS[3:5]})

    assert deal_texts(material, Scheme.OFFICIAL, seed=1) == [Parts(ROWS[:3], (), ROWS[3:5])]


def test_development_rows_choose_and_calibrate_where_they_are_published() -> None:
    held = hold_out(Parts(ROWS[:9], ROWS[9:12], ROWS[12:]), PARAMS.prepare, seed=1)

    assert (held.fit, held.select, held.calibrate) == (ROWS[:9], ROWS[9:12], ROWS[9:12])


def test_else_training_rows_are_held_out_and_no_test_row_is_touched() -> None:
    held = hold_out(Parts(ROWS, (), (TextRow("test", "label-0"),)), PARAMS.prepare, seed=1)

    assert sorted(row.text for part in (held.fit, held.select, held.calibrate) for row in part) == sorted(row.text for row in ROWS)
    assert len(held.fit) > len(held.calibrate) >= 1 <= len(held.select)


def test_a_label_keeps_its_rows_when_all_would_be_held_out() -> None:
    lonely = tuple(TextRow(f"{char}独", f"lonely-{n}") for n, char in enumerate(WORDS))

    held = hold_out(Parts((*ROWS, *lonely), (), ()), PARAMS.prepare, seed=1)

    assert {row.label for row in lonely} <= {row.label for row in held.fit}
    assert len(held.fit) + len(held.select) + len(held.calibrate) == len(ROWS) + len(lonely)


def test_a_handful_of_rows_cannot_be_held_out() -> None:
    with pytest.raises(MaterialError, match="2 training rows are too few"):
        hold_out(Parts(ROWS[:2], (), ()), PARAMS.prepare, seed=1)


def test_no_text_of_a_judged_pair_is_trained_on() -> None:
    pairs = tuple(PairRow(f"text {n}", f"text {n + (1 if n % 4 else 500)}", n % 2 == 0) for n in range(400))

    (parts,) = deal_pairs(Material({"all": pairs}), Scheme.DEAL, seed=1)

    texts = [{text for pair in part for text in (pair.first, pair.second)} for part in (parts.train, parts.dev, parts.test)]
    assert sum(map(len, (parts.train, parts.dev, parts.test))) == len(pairs)
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]
    assert 0.15 < len(parts.test) / len(pairs) < 0.35


def test_pairs_that_ask_the_same_are_one_class() -> None:
    pairs = [PairRow("a", "b", True), PairRow("b", "c", True), PairRow("c", "d", False), PairRow("e", "f", True)]

    texts, numbers = question_classes(pairs, seed=1)

    by_class: dict[int, set[str]] = {}
    for text, number in zip(texts, numbers, strict=True):
        by_class.setdefault(number, set()).add(text)
    assert sorted(map(sorted, by_class.values())) == [["a", "b", "c"], ["d"], ["e", "f"]]
    assert sorted(by_class) == [0, 1, 2]
    assert by_class[2] == {"d"}


def test_questions_with_a_second_wording_come_first_where_not_all_fit() -> None:
    pairs = [PairRow("a", "b", True), PairRow("c", "d", False), PairRow("e", "f", True)]

    texts, numbers = question_classes(pairs, seed=1, most=5)

    assert {"a", "b", "e", "f"} < set(texts)
    assert len(texts) == 5
    assert sorted(set(numbers)) == [0, 1, 2]


def test_a_trial_takes_each_label_in_turn() -> None:
    few = thin(Material({"train": ROWS, "test": ROWS[:2]}), 6, seed=1)

    labels = [row.label for row in few.parts["train"]]
    assert sorted(labels) == ["label-0", "label-0", "label-1", "label-1", "label-2", "label-2"]
    assert few.parts["test"] == ROWS[:2]
    assert few == thin(Material({"train": ROWS, "test": ROWS[:2]}), 6, seed=1)


def test_a_few_shot_set_gets_300_steps_and_a_memory_it_can_fill() -> None:
    small, large = (settings_for(PARAMS.train, rows, trial=False) for rows in (160, 20_000))

    assert small.epochs == 60
    assert small.contrast_memory == 160
    assert (large.epochs, large.contrast_memory) == (PARAMS.train.epochs, PARAMS.train.contrast_memory)
    assert settings_for(PARAMS.train, 160, trial=True).epochs == PARAMS.train.epochs

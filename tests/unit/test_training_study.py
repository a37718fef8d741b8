"""Arithmetic of the studies: hidden entries, new class numbers, coverage in hindsight."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pack_kit import write_pack
from training.examples import IGNORED, LOG_STYLE, Classes, Example
from training.study import coverage_at, growing_sets, renumber, split_entries, wave_texts, without
from yingda.domain.errors import MaterialError

CLASSES = Classes(("A", "B"), (*(f"entry-{n}" for n in range(10)), "none:A"), (*("A" for _ in range(10)), "A"))


def test_a_share_of_the_entries_is_hidden_and_never_a_class_without_one() -> None:
    hidden = split_entries(CLASSES, 0.2, seed=1)

    assert len(hidden) == 2
    assert all(name.startswith("entry-") for name in hidden)
    assert hidden == split_entries(CLASSES, 0.2, seed=1)
    assert any(split_entries(CLASSES, 0.2, seed=seed) != hidden for seed in range(2, 9))


def test_rows_keep_their_class_under_its_new_number() -> None:
    left, numbers = without(CLASSES, frozenset({"entry-0", "entry-3"}))
    rows = [Example("a", 0, 4, 0, also=(0, 10)), Example("b", 0, 3, 0), Example("c", 0, IGNORED, 0)]

    kept = renumber(rows, numbers)

    assert [row.text for row in kept] == ["a", "c"]
    assert left.matches[kept[0].match] == "entry-4"
    assert [left.matches[also] for also in kept[0].also] == ["none:A"]
    assert kept[1].match == IGNORED


def test_each_training_set_holds_the_one_before() -> None:
    early = [Example(f"early {n}", 0, 0, 0) for n in range(8)]
    late, logs = [Example("late", 0, 0, 0)], [Example("log", 0, 0, 0, style=LOG_STYLE), Example("late", 0, 0, 0, style=LOG_STYLE)]

    sets = growing_sets([*logs, *late, *early], {"late"}, seed=1)

    assert {name: len(rows) for name, rows in sets.items()} == {
        "25%": 2, "50%": 4, "75%": 6, "100%": 8, "with the latest wave": 9, "with the logs": 11,
    }  # fmt: skip
    rows = list(sets.values())
    assert all(set(smaller) < set(larger) for smaller, larger in pairwise(rows))
    assert list(growing_sets(early, set(), seed=1)) == ["25%", "50%", "75%", "100%"]


def test_a_wave_is_named_by_its_files(tmp_path: Path) -> None:
    write_pack(tmp_path)

    assert wave_texts(tmp_path, []) == frozenset()
    assert wave_texts(tmp_path, ["train-1.jsonl"])
    with pytest.raises(MaterialError, match=r"has no training file train-9\.jsonl; it has train-1\.jsonl"):
        wave_texts(tmp_path, ["train-9.jsonl"])


def test_coverage_in_hindsight() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6], np.float32)

    assert coverage_at(0.75, confidence, np.array([True, True, False, True])) == 1.0
    assert coverage_at(0.9, confidence, np.array([True, True, False, True])) == 0.5
    assert coverage_at(0.9, confidence, np.array([False, True, True, True])) == 0.0


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1))
def test_coverage_never_rises_with_the_goal(rows: list[tuple[float, bool]]) -> None:
    confidence, right = np.array([c for c, _ in rows], np.float32), np.array([r for _, r in rows])
    found = [coverage_at(goal, confidence, right) for goal in (0.5, 0.8, 0.95, 1.0)]

    assert found == sorted(found, reverse=True)
    assert coverage_at(0.0, confidence, right) == pytest.approx(1.0)

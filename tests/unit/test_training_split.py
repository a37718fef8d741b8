"""The split: whole groups of near-duplicates, the same shares for every label, the same result for a seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.split import Split, near_duplicate_groups, split_rows


def parts_of(split: Split, rows: int) -> NDArray[np.int8]:
    """Part number of each row; every row must have exactly one."""
    part = np.full(rows, -1, np.int8)
    for number, indices in enumerate((split.fit, split.select, split.calibrate)):
        assert (part[indices] == -1).all()
        part[indices] = number
    assert (part >= 0).all()
    return part


def test_near_duplicates_share_a_group() -> None:
    texts = ["什么时候发货", "什么时候发货啊", "什么时候发货呢", "怎么退款", "怎么退款呀", "where is my parcel"]

    groups = near_duplicate_groups(texts, threshold=0.6)

    assert len({groups[0], groups[1], groups[2]}) == 1
    assert groups[3] == groups[4]
    assert len(set(groups.tolist())) == 3


def test_a_chain_of_near_duplicates_is_one_group() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    first, middle, last = letters[:18], letters[4:22], letters[8:]

    assert len(set(near_duplicate_groups([first, middle, last], threshold=0.5).tolist())) == 1
    assert len(set(near_duplicate_groups([first, last], threshold=0.5).tolist())) == 2


def test_different_texts_stand_alone() -> None:
    texts = ["发货", "退款", "发票", "保修"]

    assert len(set(near_duplicate_groups(texts, threshold=0.75).tolist())) == 4


def test_a_text_of_one_character_is_no_mistake() -> None:
    assert len(near_duplicate_groups(["啊", "啊", "发货了吗"], threshold=0.75)) == 3


def test_more_rows_than_one_block_are_compared_with_each_other() -> None:
    generator = np.random.default_rng(1)
    texts = ["".join(map(chr, generator.integers(0x4E00, 0x9FA5, 8))) for _ in range(2100)]
    texts[2099] = texts[0]

    groups = near_duplicate_groups(texts, threshold=0.75)

    assert groups[0] == groups[2099]
    assert len(set(groups.tolist())) == 2099


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abc")), min_size=1, max_size=80),
    st.floats(0.01, 0.45),
    st.floats(0.01, 0.45),
    st.integers(0, 1000),
)
def test_a_group_never_stands_on_two_sides(rows: list[tuple[int, str]], select: float, calibrate: float, seed: int) -> None:
    numbers = {group: number for number, group in enumerate(sorted({group for group, _ in rows}))}
    groups = np.asarray([numbers[group] for group, _ in rows], np.int32)

    split = split_rows(groups, [label for _, label in rows], select=select, calibrate=calibrate, seed=seed)

    part = parts_of(split, len(rows))
    assert all(len(set(part[groups == group].tolist())) == 1 for group in set(groups.tolist()))


def deal(seed: int) -> Split:
    groups = np.arange(1000, dtype=np.int32)
    return split_rows(groups, ["a"] * 700 + ["b"] * 300, select=0.1, calibrate=0.2, seed=seed)


def test_every_label_keeps_its_share_in_each_part() -> None:
    split = deal(7)

    for indices, share in ((split.fit, 0.7), (split.select, 0.1), (split.calibrate, 0.2)):
        counts = Counter("a" if row < 700 else "b" for row in indices.tolist())
        assert counts["a"] == pytest.approx(700 * share, abs=1)
        assert counts["b"] == pytest.approx(300 * share, abs=1)


def test_labels_with_few_rows_keep_their_shares_on_average() -> None:
    groups = np.arange(3000, dtype=np.int32)

    split = split_rows(groups, [f"label {n // 2}" for n in range(3000)], select=0.1, calibrate=0.2, seed=3)

    # three standard deviations of 1,500 labels that each give 0 or 1 row to a part
    assert len(split.select) == pytest.approx(300, abs=50)
    assert len(split.calibrate) == pytest.approx(600, abs=60)


def test_a_seed_decides_the_split() -> None:
    first, again, other = deal(7), deal(7), deal(8)

    assert first.calibrate.tolist() == again.calibrate.tolist()
    assert first.select.tolist() == again.select.tolist()
    assert first.calibrate.tolist() != other.calibrate.tolist()


def test_rows_come_in_ascending_order() -> None:
    split = deal(7)

    assert all((np.diff(indices) > 0).all() for indices in (split.fit, split.select, split.calibrate))

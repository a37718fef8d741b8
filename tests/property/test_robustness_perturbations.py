"""What holds for perturbations whatever the text."""

from __future__ import annotations

import re
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from evaluation.robustness.perturbations import PERTURBATIONS, perturb
from yingda.domain.errors import MessageError
from yingda.domain.message import check_text
from yingda.text.normalise import normalise

MARKS = "，。！？；：、…～,!?;~"
WORDS = "订单什么时候发货我不想要了退款怎么还没到账能改地址吗"

seeds = st.integers(0, 1000)
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
chinese = st.text(st.sampled_from(WORDS + MARKS + " 1aＡ２"), min_size=1, max_size=40)


def is_message(text: str) -> bool:
    try:
        check_text(text)
    except MessageError:
        return False
    return True


@given(anything.filter(is_message))
def test_what_comes_out_is_another_message(text: str) -> None:
    for found in perturb(text).values():
        check_text(found)
        assert found != text


@given(chinese, seeds)
def test_width_goes_back_and_reads_the_same_to_the_engine(text: str, seed: int) -> None:
    found = PERTURBATIONS["width"](text, Random(seed))

    assert PERTURBATIONS["width"](found, Random(seed)) == text
    assert normalise(found) == normalise(text)


@given(chinese, seeds)
def test_changes_of_marks_leave_the_words(text: str, seed: int) -> None:
    words = re.sub(rf"[{MARKS}\s]", "", text)
    for name in ("marks_removed", "marks_doubled", "marks_spaced"):
        found = PERTURBATIONS[name](text, Random(seed))
        assert re.sub(rf"[{MARKS}\s]", "", found) == words


@given(chinese, seeds)
def test_a_swap_moves_two_neighbours_alone(text: str, seed: int) -> None:
    found = PERTURBATIONS["swapped"](text, Random(seed))

    places = [place for place, (one, other) in enumerate(zip(text, found, strict=True)) if one != other]
    if places:
        first, second = places
        assert second == first + 1
        assert (found[first], found[second]) == (text[second], text[first])


@given(chinese, seeds)
def test_a_drop_takes_one_character_alone(text: str, seed: int) -> None:
    found = PERTURBATIONS["dropped"](text, Random(seed))

    assert found == text or found in {text[:place] + text[place + 1 :] for place in range(len(text))}


@given(chinese, seeds)
def test_what_is_added_stands_before_or_behind(text: str, seed: int) -> None:
    for name in ("emoji", "order_number", "polite", "story"):
        assert text.strip() in PERTURBATIONS[name](text, Random(seed))

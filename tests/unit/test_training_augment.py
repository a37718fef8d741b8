"""Slips of typing customers: small, label-preserving, decided by the seed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypinyin import Style, lazy_pinyin

from training.augment import NOISES, Noise, disturb, homophones, run_on, small_talk, typing_slip, wrong_character

han = st.text(st.sampled_from("退货什么时候到账发票开错了快递在哪里，。？！"), min_size=1, max_size=40)
seeds = st.integers(0, 1000)


@given(st.text(), seeds)
def test_a_typing_slip_changes_the_length_by_one_at_most(text: str, seed: int) -> None:
    slipped = typing_slip(text, random.Random(seed))

    assert abs(len(slipped) - len(text)) <= 1
    assert set(slipped) <= set(text)


@pytest.mark.parametrize("noise", [typing_slip, wrong_character])
@given(text=st.text(max_size=3), seed=seeds)
def test_a_short_text_never_slips(noise: Noise, text: str, seed: int) -> None:
    assert noise(text, random.Random(seed)) == text


def test_slips_drop_double_and_swap() -> None:
    found = {typing_slip("abcd", random.Random(seed)) for seed in range(300)}

    assert found == {"bcd", "acd", "abd", "aabcd", "abbcd", "abccd", "bacd", "acbd", "abdc"}


def test_homophones_are_the_common_characters_that_sound_the_same() -> None:
    table = homophones()

    assert len(table) > 3500
    assert "券" not in table["券"]
    assert "劝" in table["券"]
    for char in "退货发票快递":
        sounds = {lazy_pinyin(other, style=Style.NORMAL)[0] for other in table[char]}
        assert sounds == set(lazy_pinyin(char, style=Style.NORMAL))


@given(han, seeds)
def test_a_wrong_character_stands_in_one_place_and_sounds_the_same(text: str, seed: int) -> None:
    changed = wrong_character(text, random.Random(seed))

    differing = [(a, b) for a, b in zip(text, changed, strict=True) if a != b]
    assert len(differing) <= 1
    assert all(lazy_pinyin(a, style=Style.NORMAL) == lazy_pinyin(b, style=Style.NORMAL) for a, b in differing)


@given(han, seeds)
def test_a_run_on_loses_punctuation_and_nothing_else(text: str, seed: int) -> None:
    said = run_on(text, random.Random(seed))

    letters = [char for char in text if char not in "，。？！"]
    assert [char for char in said if char not in "，。？！ "] == letters
    assert said


@given(han.filter(lambda text: any(char not in "，。？！" for char in text)), seeds)
def test_small_talk_keeps_the_message_whole(text: str, seed: int) -> None:
    chatty = small_talk(text, random.Random(seed))

    assert text in chatty
    assert chatty != text


def test_small_talk_leaves_other_languages_alone() -> None:
    assert {small_talk("where is my parcel", random.Random(seed)) for seed in range(50)} == {"where is my parcel"}


@given(st.text(max_size=60), seeds)
def test_a_seed_decides_and_no_text_vanishes(text: str, seed: int) -> None:
    assert disturb(text, random.Random(seed)) == disturb(text, random.Random(seed))
    assert bool(disturb(text, random.Random(seed))) == bool(text)


def test_every_noise_is_dealt() -> None:
    text = "你们的，退货地址发一下"
    made = {disturb(text, random.Random(seed)) for seed in range(400)}

    assert all(made & {noise(text, random.Random(seed)) for seed in range(400)} for noise in NOISES)

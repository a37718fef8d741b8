"""What holds for the normaliser whatever the text."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingda.text.normalise import MAX_RUN, normalise

TRADITIONAL = "請問這個什麼時候發貨訂單號碼沒有顯示還沒收到貨要退款運費誰出發票怎麼開"
SIMPLIFIED = "请问这个什么时候发货订单号码没有显示还没收到货要退款运费谁出发票怎么开"
INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\ufeff\ufe0f\x00\x07\x1b\x7f\xad"

texts = st.text(st.characters(exclude_categories=["Cs"]))
chinese = st.text(st.sampled_from(TRADITIONAL + SIMPLIFIED + "发發后後干乾里裏，。！？ 1２Ａa"))
ascii_texts = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E))
runs_of_digits = st.lists(st.sampled_from(["0", "000000", "1122233", "88888888888"]), min_size=1)


@given(texts)
def test_a_second_pass_changes_nothing(text: str) -> None:
    once = normalise(text)

    assert normalise(once) == once


@given(chinese)
def test_a_second_pass_over_chinese_changes_nothing(text: str) -> None:
    once = normalise(text)

    assert normalise(once) == once


@pytest.mark.parametrize("text", ["薴麻", "么麼"])
def test_a_second_pass_changes_nothing_where_the_simplified_form_is_simplified_again(text: str) -> None:
    once = normalise(text)

    assert normalise(once) == once


@given(ascii_texts)
def test_full_width_equals_half_width(text: str) -> None:
    wide = "".join(chr(ord(char) + 0xFEE0) for char in text)

    assert normalise(wide) == normalise(text)


@given(st.lists(st.integers(0, len(TRADITIONAL) - 1)))
def test_traditional_equals_simplified_in_chinese(places: list[int]) -> None:
    # words stay whole, so that both sides read the same: the converter knows phrases
    traditional = " ".join(TRADITIONAL[place:] for place in places)
    simplified = " ".join(SIMPLIFIED[place:] for place in places)

    assert normalise(traditional) == normalise(simplified) == simplified


@given(st.text(st.sampled_from("abc什么 12"), max_size=20), st.lists(st.tuples(st.integers(0, 20), st.sampled_from(INVISIBLE))))
def test_what_the_eye_does_not_see_vanishes(text: str, insertions: list[tuple[int, str]]) -> None:
    dirty = text
    for place, char in insertions:
        dirty = dirty[:place] + char + dirty[place:]

    assert normalise(dirty) == normalise(text)


@given(st.lists(st.one_of(chinese.filter(lambda text: not re.search(r"\d", text)), st.sampled_from("零0000000１１１")), min_size=1))
def test_digits_are_never_shortened(pieces: list[str]) -> None:
    text = "".join(pieces)

    assert re.findall(r"\d", normalise(text)) == re.findall(r"\d", unicodedata.normalize("NFKC", text))


@given(runs_of_digits)
def test_order_numbers_stay_whole(runs: list[str]) -> None:
    number = "".join(runs)

    assert normalise(f"单号{number}") == f"单号{number}"


@given(st.text(st.sampled_from("発送注文国学対応気図様"), min_size=1), st.text(st.sampled_from("のはをですカナ"), min_size=1))
def test_japanese_kanji_are_untouched(kanji: str, kana: str) -> None:
    kept = set(kanji)

    assert kept <= set(normalise(kanji + kana))


def test_a_japanese_sentence_is_untouched() -> None:
    assert normalise("注文した商品が発送されません。國學院大學です") == "注文した商品が発送されません。國學院大學です"


@given(texts)
def test_no_emphasis_remains(text: str) -> None:
    assert not re.search(rf"([^\d\s])\1{{{MAX_RUN},}}", normalise(text))


@given(texts)
def test_blanks_are_single_and_never_at_the_ends(text: str) -> None:
    clean = normalise(text)

    assert clean == clean.strip()
    assert not re.search(r"[^\S ]|  ", clean)


@given(texts)
def test_the_result_is_never_longer_than_the_compatibility_form(text: str) -> None:
    assert len(normalise(text)) <= len(unicodedata.normalize("NFKC", text))


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("在吗！！！！！", "在吗!!"),
        ("看看谢谢", "看看谢谢"),
        ("哈哈哈哈哈", "哈哈"),
        ("  快 \n\n 点\u3000 ", "快 点"),
        ("ＳＦ１２３０００４５６", "SF123000456"),
        ("", ""),
        ("\u200b\u3000", ""),
    ],
)
def test_examples(text: str, clean: str) -> None:
    assert normalise(text) == clean

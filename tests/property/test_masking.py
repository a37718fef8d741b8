"""What holds for masking whatever the message."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from yingda.text.masking import mask, mask_counted
from yingda.text.normalise import normalise
from yingda.understand.entities import find_entities

HAN = "请问这个什么时候发货订单没有显示还没收到货要退款运费谁出发票怎么开我的在不能改地址联系电话手机微信是打给你们一三上下，。！？ "
NUMERALS = str.maketrans("零一二三四五六七八九幺", "01234567891")
SEPARATORS = ["", " ", "-", " - ", "－", "·", ".", "　"]
ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

chinese = st.text(st.sampled_from(HAN), max_size=30)
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
tricky = st.text(
    st.sampled_from("0123456789 -.:@〔〕[]手机号地址姓名我叫张三收件人省市区路号栋室京A微信QQvx一二零SFDD，\u200b１３"), max_size=60
)
phones = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)


@st.composite
def spelt_phones(draw: st.DrawFn) -> tuple[str, str]:
    """A mobile number and one of its spellings."""
    phone, mark = draw(phones), draw(st.sampled_from(SEPARATORS))
    cuts = draw(st.sampled_from([(3, 7), (4, 7), (4, 8), (3, 6), (3,), (7,), (3, 5, 8), ()]))
    groups = [phone[start:end] for start, end in zip((0, *cuts), (*cuts, 11), strict=True)]
    return phone, draw(st.sampled_from(["", "+86", "+86 ", "86-", "0086"])) + _written(mark.join(groups), draw(st.sampled_from("aws中")))


@st.composite
def identities(draw: st.DrawFn) -> tuple[str, str]:
    """An identity-card number with its check character, and one of its spellings."""
    birth = draw(st.dates()).replace(year=draw(st.integers(1930, 2024)), day=draw(st.integers(1, 28))).strftime("%Y%m%d")
    body = draw(st.from_regex(r"[1-6][0-9]{5}", fullmatch=True)) + birth + draw(st.from_regex(r"[0-9]{3}", fullmatch=True))
    check = "10X98765432"[sum(weight * int(digit) for weight, digit in zip(ID_WEIGHTS, body, strict=True)) % 11]
    number = body + check
    mark = draw(st.sampled_from(["", " ", "-"]))
    return number, _written(mark.join((number[:6], number[6:14], number[14:])), draw(st.sampled_from("aws中")))


def _written(text: str, form: str) -> str:
    """``text`` with ASCII, full-width, small or Chinese digits."""
    if form == "中":
        return text.translate(str.maketrans("0123456789", "零一二三四五六七八九"))
    if form == "w":
        return "".join(chr(ord(char) + 0xFEE0) if char.isascii() and char.isdigit() else char for char in text)
    return text.replace("0", "０") if form == "s" else text


def digits_of(text: str) -> str:
    """All digits, however written and separated, placeholders left out."""
    plain = unicodedata.normalize("NFKC", re.sub("〔[^〕]*〕", "/", text)).translate(NUMERALS).upper()
    return re.sub("[^0-9X/]", "", plain)


@given(st.one_of(anything, tricky))
def test_a_second_pass_changes_nothing(text: str) -> None:
    once = mask(text)

    assert mask(once) == once


@given(chinese, spelt_phones(), chinese)
def test_no_mobile_number_survives(before: str, phone: tuple[str, str], after: str) -> None:
    number, spelt = phone

    assert number not in digits_of(mask(f"{before}{spelt}{after}"))


@given(chinese, identities(), chinese)
def test_no_identity_card_survives(before: str, identity: tuple[str, str], after: str) -> None:
    number, spelt = identity

    assert number not in digits_of(mask(f"{before}{spelt}{after}"))


@given(st.one_of(anything, tricky))
def test_no_identifier_that_the_engine_would_find_is_left(text: str) -> None:
    masked = mask(text)
    found = [entity for entity in find_entities(masked) if entity.type != "amount"]
    # what masking put there still tells that an address was given
    assert {masked[entity.start : entity.end] for entity in found} <= {"〔地址〕"}


@given(st.text(st.sampled_from("请问这个什么时候发货能不能便宜点呢谢谢啦好的，。！？ "), max_size=40))
def test_text_without_digits_or_names_is_unchanged(text: str) -> None:
    assert mask(text) == text


@given(tricky)
def test_a_changed_text_has_a_counted_item(text: str) -> None:
    masked = mask_counted(text)

    assert (masked.text != text) == bool(masked.counts)
    assert masked.text.count("〔") >= sum(masked.counts.values())


@given(tricky)
def test_placeholders_outlast_the_normaliser(text: str) -> None:
    placeholders = re.findall("〔[^〕]*〕", mask(text))

    assert all(
        placeholder in normalise(f"看 {placeholder} 好") for placeholder in set(placeholders) & {"〔手机号〕", "〔地址〕", "〔单号〕"}
    )

"""Facts found in a message, and that identifiers come out masked."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingda.understand.entities import find_entities


def found(text: str) -> list[tuple[str, str]]:
    """Type and exact stretch of every entity."""
    return [(entity.type, text[entity.start : entity.end]) for entity in find_entities(text)]


@pytest.mark.parametrize(
    ("text", "type_", "stretch"),
    [
        ("我的手机是13812345678", "phone", "13812345678"),
        ("单子SF1234567890123到哪了", "tracking_no", "SF1234567890123"),
        ("sf1234567890123", "tracking_no", "sf1234567890123"),
        ("JDVA12345678901", "tracking_no", "JDVA12345678901"),
        ("DD20250101没发", "order_no", "DD20250101"),
        ("查 202511210000123456", "order_no", "202511210000123456"),
        ("订单号123456", "order_no", "123456"),
        ("订单号: 123456", "order_no", "123456"),
        ("订单号是 123456", "order_no", "123456"),
        ("付了99.5元", "amount", "99.5元"),
        ("多扣20块", "amount", "20块"),
        ("¥ 99", "amount", "¥ 99"),
    ],
)
def test_each_kind_of_fact_is_found(text: str, type_: str, stretch: str) -> None:
    assert found(text) == [(type_, stretch)]


def test_an_order_number_after_a_full_width_colon_is_found() -> None:
    assert found("订单号：123456") == [("order_no", "123456")]


def test_an_amount_after_a_full_width_yen_sign_is_found() -> None:
    assert found("付了￥99") == [("amount", "￥99")]


@pytest.mark.parametrize("text", ["", "你好", "买了3件", "100块零食", "23812345678", "1234567", "二十块"])
def test_other_text_is_left_alone(text: str) -> None:
    assert find_entities(text) == ()


def test_a_phone_number_inside_a_longer_number_is_none() -> None:
    assert [type_ for type_, _ in found("138123456789")] == []


def test_identifiers_show_their_last_four_characters_only() -> None:
    assert [entity.text for entity in find_entities("13812345678 DD20250101")] == ["***5678", "DD***0101"]


def test_amounts_are_shown_whole() -> None:
    assert [entity.text for entity in find_entities("退我1234.50元")] == ["1234.50元"]


def test_entities_come_in_order_of_appearance() -> None:
    text = "付了99元，订单 DD20250101，电话13812345678"

    assert [type_ for type_, _ in found(text)] == ["amount", "order_no", "phone"]


@given(st.text(st.sampled_from("0123456789SFDDNO元块¥: 订单号是电话。"), max_size=60))
def test_entities_never_overlap_and_offsets_fit_the_text(text: str) -> None:
    entities = find_entities(text)

    assert all(0 <= entity.start < entity.end <= len(text) for entity in entities)
    assert all(a.end <= b.start for a, b in pairwise(entities))


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
def test_no_phone_number_is_ever_repeated_whole(number: str) -> None:
    assert all(number not in entity.text for entity in find_entities(f"打{number}给我"))

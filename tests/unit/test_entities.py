"""Facts found in a message, and that identifiers come out masked."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingda.domain.decision import FACTS_IN_TEXT
from yingda.text.masking import mask
from yingda.understand import entities
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


@pytest.mark.parametrize(
    ("text", "stretch"),
    [
        ("抬头：杭州云杉科技有限公司", "杭州云杉科技有限公司"),
        ("开票抬头 杭州云杉科技有限公司 税号91330100MA27ABCD12", "杭州云杉科技有限公司 税号91330100MA27ABCD12"),
        ("公司名称是上海云杉贸易有限公司，税号：91330100MA27ABCD12", "上海云杉贸易有限公司，税号：91330100MA27ABCD12"),
        ("杭州云杉科技有限公司\n91330100MA27ABCD12", "杭州云杉科技有限公司\n91330100MA27ABCD12"),
        ("发票抬头是云杉第一幼儿园", "云杉第一幼儿园"),
        ("抬头: 云杉小店", "云杉小店"),
        ("抬头写个人就行", "个人"),
    ],
)
def test_an_invoice_title_is_found_and_never_repeated(text: str, stretch: str) -> None:
    assert found(text) == [("invoice_title", stretch)]
    assert [entity.text for entity in find_entities(text)] == ["***"]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "发票抬头：怎么改",
            "抬头写公司还是个人",
            "抬头写成个人了 要公司的",
            "抬头漏了“有限”俩字",
            "抬头里有限公司后面还有个括号",
            "抬头错了",
        ),
        *("抬头填学校行不", "我在有限公司上班", "把抬头和税号发给您可以吗", "要开公司抬头的票"),
    ],
)
def test_talk_about_titles_gives_none(text: str) -> None:
    assert find_entities(text) == ()


def test_a_tax_number_is_no_order_number() -> None:
    assert found("税号 913301000000000000") == []


@pytest.mark.parametrize(
    ("text", "stretch"),
    [
        *(("[图片]", "[图片]"), ("坏了［照片］", "［照片］"), ("【截图】看下", "【截图】"), ("[Image]", "[Image]")),
        *(
            ("照片已发", "照片已发"),
            ("图片发你了，看看", "图片发你了"),
            ("照片都传上去了", "照片都传上去了"),
            ("已发照片", "已发照片"),
            ("见图", "见图"),
        ),
        *(("如图，裂了", "如图"), ("photo attached", "photo attached"), ("see the attached picture", "see the attached picture")),
    ],
)
def test_a_picture_that_came_is_found(text: str, stretch: str) -> None:
    assert found(text) == [("photo", stretch)]
    assert [entity.text for entity in find_entities(text)] == [stretch]


@pytest.mark.parametrize(
    "text",
    [
        "图片还没发",
        "照片发不了",
        "截图发物价局了",
        "发张照片能有多难",
        "去图书馆如图书馆",
        "照片发给你了吗",
        "地图发了",
        "还没已发图",
        "图片已发错",
        "商品图片不清楚",
    ],
)
def test_talk_about_pictures_is_none(text: str) -> None:
    assert find_entities(text) == ()


@pytest.mark.parametrize("text", ["送到浙江省杭州市西湖区文三路12号3栋502", "地址改成西湖区文三路12号", "寄到〔地址〕"])
def test_an_address_is_what_masking_calls_one(text: str) -> None:
    (entity,) = find_entities(text)

    assert (entity.type, entity.text) == ("address", "***")
    assert mask(text[entity.start : entity.end]) == "〔地址〕"


@pytest.mark.parametrize("text", ["浙江省杭州市能送吗", "送到学校行吗", "发到几号"])
def test_a_region_is_no_address(text: str) -> None:
    assert find_entities(text) == ()


@pytest.mark.parametrize("text", ["送到杭州市西湖区文三路12号3栋", "抬头：云杉小店", "[图片]", "照片已发"])
def test_a_fact_is_found_again_in_the_masked_text(text: str) -> None:
    assert [entity.type for entity in find_entities(mask(text))] == [entity.type for entity in find_entities(text)]


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


WORDS = (
    "抬头：",
    "公司名称",
    "云杉",
    "有限公司",
    "税号",
    "91330100MA27ABCD12",
    "西湖区",
    "文三路",
    "12号",
    "3栋",
    "[图片]",
    "照片",
    "已发",
    "了",
    "，",
    " ",
    "13812345678",
)


def test_the_facts_that_a_message_can_give_are_those_that_are_looked_for() -> None:
    assert {type_ for _, patterns in entities._CUED for type_, _ in patterns if type_} == FACTS_IN_TEXT


@given(st.lists(st.sampled_from(WORDS), max_size=12).map("".join))
def test_titles_and_addresses_are_never_told_and_no_entity_shows_personal_data(text: str) -> None:
    for entity in find_entities(text):
        assert mask(entity.text) == entity.text
        assert entity.type not in ("address", "invoice_title") or entity.text == "***"


@given(st.lists(st.sampled_from(WORDS), max_size=12).map("".join))
def test_entities_of_titles_and_addresses_never_overlap(text: str) -> None:
    assert all(a.end <= b.start for a, b in pairwise(find_entities(text)))

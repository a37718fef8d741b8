"""Which language a message is taken to be in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingda.text.language import LATIN_LANGUAGES, UNKNOWN, detect_language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("什么时候发货", "zh"),
        ("注文した商品がまだ届きません", "ja"),
        ("배송은 언제 되나요", "ko"),
        ("สินค้าจะมาถึงเมื่อไหร่", "th"),
        ("متى يصل طلبي", "ar"),
        ("когда придёт мой заказ", "ru"),
        ("where is my parcel and when will it arrive", "en"),
        ("où est mon colis et quand arrivera-t-il", "fr"),
        ("wo ist mein Paket und wann kommt es an", "de"),
        ("dónde está mi paquete y cuándo llegará", "es"),
        ("bao giờ đơn hàng của tôi được giao", "vi"),
    ],
)
def test_each_served_language_is_known(text: str, code: str) -> None:
    assert detect_language(text).code == code


@pytest.mark.parametrize("text", ["", "123456", "???!", "😀👍", "¥99.00", "   "])
def test_a_text_without_letters_is_unknown(text: str) -> None:
    assert detect_language(text) == UNKNOWN


def test_a_product_name_does_not_make_a_chinese_message_english() -> None:
    assert detect_language("iPhone 15 Pro Max 什么时候发货").code == "zh"


def test_a_chinese_word_does_not_make_an_english_message_chinese() -> None:
    assert detect_language("where can I see the status of my 订单 please, I ordered yesterday").code == "en"


def test_mixed_text_is_less_certain_than_pure_text() -> None:
    assert detect_language("order 什么时候发货").confidence < detect_language("什么时候发货").confidence == 1.0


def test_han_characters_beside_kana_count_as_japanese() -> None:
    assert detect_language("商品の到着日を変更したい").code == "ja"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_gets_a_known_code_and_a_confidence_between_0_and_1(text: str) -> None:
    guess = detect_language(text)

    assert guess.code in {"zh", "ja", "ko", "th", "ar", "ru", "und", *LATIN_LANGUAGES}
    assert 0.0 <= guess.confidence <= 1.0


@pytest.mark.parametrize(
    "text",
    [
        "我の快递三天没动了",
        "谢谢ー快递什么时候到",
        "阿尔贝・卡缪的书还有货吗",
        "iPhone 15 Pro Max多少钱",
        "https://item.example.com/abc/def 这个有货吗",
        "这个lipstick sold out了,restock的时候能不能notify我一下",
    ],
)
def test_borrowed_letters_do_not_make_a_chinese_message_foreign(text: str) -> None:
    assert detect_language(text).code == "zh"


@pytest.mark.parametrize("text", ["OK", "SF1234567890123", "DD20260001", "👍"])
def test_codes_and_calls_are_of_no_language(text: str) -> None:
    assert detect_language(text).code == "und"

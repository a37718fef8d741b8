"""The keyword library as evidence."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from yingda.domain.decision import KeywordHit
from yingda.domain.knowledge import Keyword
from yingda.pack import read_knowledge
from yingda.text.normalise import normalise
from yingda.understand.keywords import KeywordFinder

RETAIL = Path(__file__).parents[2] / "data" / "packs" / "retail"


def finder(*keywords: Keyword) -> KeywordFinder:
    return KeywordFinder(keywords, normalise=normalise)


@cache
def retail() -> KeywordFinder:
    return finder(*read_knowledge(RETAIL).keywords)


@pytest.mark.parametrize("word", ["快递", "物流", "运输", "包裹"])
def test_parcel_words_of_the_retail_pack_speak_for_logistics(word: str) -> None:
    assert KeywordHit(word, "ORDER_LOGISTICS") in retail().find(f"我的{word}呢")


def test_a_synonym_reports_the_word_that_was_written() -> None:
    hits = finder(Keyword("快递", ("物流",), ("SHIP",))).find("看下物流")

    assert hits == (KeywordHit("物流", "SHIP"),)


def test_the_longest_term_wins() -> None:
    hits = finder(Keyword("运费", (), ("SHIP",)), Keyword("退货运费", (), ("RETURN",))).find("退货运费谁出")

    assert hits == (KeywordHit("退货运费", "RETURN"),)


def test_a_term_speaks_for_each_of_its_intents() -> None:
    hits = finder(Keyword("运费", (), ("SHIP", "RETURN"))).find("运费多少")

    assert hits == (KeywordHit("运费", "SHIP"), KeywordHit("运费", "RETURN"))


def test_a_repeated_term_is_reported_once() -> None:
    assert len(finder(Keyword("发货", (), ("SHIP",))).find("发货 发货 快发货")) == 1


def test_hits_come_in_order_of_appearance() -> None:
    hits = finder(Keyword("退款", (), ("REFUND",)), Keyword("发货", (), ("SHIP",))).find("不发货就退款")

    assert [hit.text for hit in hits] == ["发货", "退款"]


def test_case_does_not_matter() -> None:
    assert finder(Keyword("USB", (), ("INFO",))).find("带usb吗") == finder(Keyword("usb", (), ("INFO",))).find("带USB吗")


def test_terms_are_normalised_as_messages_are() -> None:
    hits = finder(Keyword("發貨", (), ("SHIP",))).find(normalise("什麼時候發貨"))

    assert hits == (KeywordHit("发货", "SHIP"),)


def test_positions_count_characters_not_bytes() -> None:
    hits = finder(Keyword("发货", (), ("SHIP",))).find("😀ß什么时候发货")

    assert hits == (KeywordHit("发货", "SHIP"),)


def test_an_empty_library_finds_nothing() -> None:
    assert finder().find("发货") == ()

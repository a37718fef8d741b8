"""Entries that ask the same, and answers that cannot both hold."""

from __future__ import annotations

from typing import Any

import pytest

from tests.knowledge_kit import an_entry, embed_characters
from yingda.domain.records import Alike, Finding
from yingda.store.knowledge.alike import find_alike
from yingda.store.knowledge.facts import disagreements, facts_of

VALUES = {"退货天数": "7", "换货天数": "15", "发货时限": "48 小时"}


def entry(key: str, question: str, answer: str, **changes: Any) -> dict[str, Any]:
    return an_entry(key, question={"zh": question}, similar={}, answer={"zh": answer}, **changes)


def found(first: dict[str, Any], second: dict[str, Any]) -> tuple[Alike, ...]:
    return find_alike({first["id"]: first}, {second["id"]: second}, embed=embed_characters, values=VALUES)


def test_one_question_under_two_ids_is_reported_once_with_both() -> None:
    one = found(entry("b", "什么时候发货", "好。"), entry("a", "什么时候發貨", "好。"))[0]

    assert (one.finding, one.first, one.second, one.similarity) == (Finding.NEAR_DUPLICATE, "a", "b", 1.0)
    assert "a" in one.detail
    assert "b" in one.detail


def test_different_questions_are_not_reported() -> None:
    assert found(entry("a", "什么时候发货", "7 天"), entry("b", "怎么开发票", "15 天")) == ()


def test_a_wording_that_stands_in_two_entries_is_reported() -> None:
    first = entry(
        "a",
        "保修多久",
        "好。",
    ) | {"similar": {"zh": ["能退吗"]}}

    assert found(first, entry("b", "能退吗", "好。"))[0].finding is Finding.NEAR_DUPLICATE


def test_an_entry_is_not_its_own_twin() -> None:
    one = entry("a", "什么时候发货", "好。")

    assert find_alike({"a": one}, {}, embed=embed_characters, values={}) == ()


CONTRADICTIONS = [
    ("收货后 7 天内可以退。", "收货后 15 天内可以退。", "7 天 ≠ 15 天"),
    ("七天内退。", "十五天内退。", "7 天 ≠ 15 天"),
    ("{退货天数} 天内退。", "30 天内退。", "7 天 ≠ 30 天"),
    ("{退货天数} 天内退。", "{换货天数} 天内退。", "{退货天数} ≠ {换货天数}"),
    ("{发货时限}内发出。", "24 小时内发出。", "48 小时 ≠ 24 小时"),
    ("退款 1–3 个工作日到。", "退款 3-7 个工作日到。", "1–3 工作日 ≠ 3–7 工作日"),
    ("运费 8 元。", "运费 10 元。", "8 元 ≠ 10 元"),
    ("可以退。", "不可以退。", "yes ≠ no"),
    ("支持货到付款。", "暂不支持货到付款。", "yes ≠ no"),
    ("48 小时内发出。", "5 天内发出。", "48 小时 ≠ 5 天"),
    ("保修一年。", "保修 24 个月。", "1 年 ≠ 24 月"),
    ("Within 2 days.", "Within 24 hours.", "2 天 ≠ 24 小时"),
    ("15 天内退。", "2 周内退。", "15 天 ≠ 2 周"),
    ("可以退。", "禁止退货。", "yes ≠ no"),
    ("能退。", "拆封后不得退货。", "yes ≠ no"),
    ("一年。", "不保修。", "yes ≠ no"),
    ("保修一年。", "不保修。", "yes ≠ no"),
    ("No, you cannot.", "Yes, you can.", "no ≠ yes"),
]


@pytest.mark.parametrize(("first", "second", "expected"), CONTRADICTIONS)
def test_answers_that_cannot_both_hold_are_named(first: str, second: str, expected: str) -> None:
    one = found(entry("a", "能退吗", first), entry("b", "能退吗", second))[0]

    assert one.finding is Finding.CONTRADICTION
    assert expected in one.detail
    assert "a ≠ b" in one.detail


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{退货天数} 天内退。", "7天内退。"),
        ("七天内退，24 小时审核。", "签收后 7 天内退。"),
        ("退款 1–3 个工作日到。", "签收 7 天内退，退款1-3个工作日。"),
        ("可以退。", "支持退。"),
        ("点申请售后。", "不可以退。"),
        ("48 小时内发出。", "2 天内发出。"),
        ("1–2 天到。", "24–48 小时到。"),
        ("保修一年。", "保修 12 个月。"),
        ("一个月内退。", "30 天内退。"),
        ("一个月内退。", "31 天内退。"),
        ("一个月内退。", "4 周内退。"),
        ("一年内。", "365 天内。"),
        ("9 月开始。", "7 天内退。"),
        ("2026 年开始。", "7 天内退。"),
        ("3 个工作日内退款。", "7 天内退。"),
        ("7 天内退，24 小时审核。", "2 周内退。"),
        ("第 2 天发出。", "24 小时内发出。"),
        ("保修一年。", "可以保修。"),
    ],
)
def test_answers_that_agree_are_not_called_a_contradiction(first: str, second: str) -> None:
    assert disagreements(facts_of(first, VALUES), facts_of(second, VALUES)) == []

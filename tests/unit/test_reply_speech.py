"""The shipped answers as they are read out on the telephone, and quantities that a voice must not change."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from yingda.pack import read_knowledge
from yingda.reply.speech import speakable

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "speech" / "retail.txt"
_VARIABLE = re.compile(r"\{([^{}]+)\}")
_CLAUSE = re.compile(r"[^。；！？\n]*[。；！？\n]?")


def spoken_shop() -> str:
    """Each sentence of the shipped Chinese answers that holds a figure, as it is written and as it is said."""
    shop = read_knowledge(ROOT / "data" / "packs" / "retail")
    texts = (_VARIABLE.sub(lambda match: shop.policy.values.get(match[1], match[0]), entry.answer["zh"]) for entry in shop.faq.values())
    written = sorted({clause.strip() for text in texts for clause in _CLAUSE.findall(text) if re.search(r"\d", clause)})
    return "".join(f"{clause}\n    {speakable(clause, language='zh')}\n" for clause in written)


def test_the_shipped_answers_are_said_as_the_golden_file_shows() -> None:
    if os.environ.get("YINGDA_WRITE_GOLDEN"):
        GOLDEN.write_text(spoken_shop(), "utf-8")
    assert spoken_shop() == GOLDEN.read_text("utf-8")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("周一-周五 9:00-18:00", "周一到周五九点到十八点。"),
        ("周一-五", "周一到五。"),
        ("周一 9:00-周五 18:00", "周一九点到周五十八点。"),
        ("星期六~星期日", "星期六到星期日。"),
        ("周一至周五", "周一至周五。"),
        ("9月1日-9月5日", "九月一日到九月五日。"),
        ("9月1日–5日", "九月一日到五日。"),
        ("2026-11-25~2026-11-30", "二零二六年十一月二十五日到二零二六年十一月三十日。"),
        ("1月-3月", "一月到三月。"),
        ("9:00-次日2:00", "九点到次日两点。"),
        ("3天-5天", "三天到五天。"),
        ("¥10-¥20", "十到二十元。"),
    ],
)
def test_between_days_times_and_amounts_a_voice_says_to(written: str, said: str) -> None:
    assert speakable(written, language="zh") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("使用温度 -10℃~40℃", "使用温度零下十摄氏度到四十摄氏度。"),
        ("-20°C~-5°C", "零下二十摄氏度到零下五摄氏度。"),
        ("-10~40℃", "零下十到四十摄氏度。"),
        ("室温20℃-25℃", "室温二十摄氏度到二十五摄氏度。"),
        ("温度-5℃", "温度零下五摄氏度。"),
        ("−5 度", "零下五度。"),
        ("-5", "负五。"),
        ("余额：-5元", "余额：负五元。"),
        ("-5%", "负百分之五。"),
        ("-7天无理由", "七天无理由。"),
        ("- 5 件", "五件。"),
        ("SF-123", "S F幺二三。"),
    ],
)
def test_what_is_below_zero_is_said_to_be(written: str, said: str) -> None:
    assert speakable(written, language="zh") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("约1/3", "约三分之一。"),
        ("2/3的费用", "三分之二的费用。"),
        ("1/100左右", "一百分之一左右。"),
        ("1/3 起", "一或三起。"),
        ("11/12的订单", "十一或十二的订单。"),
        ("约2/3天", "约二或三天。"),
        ("3/6/12期", "三或六或十二期。"),
        ("24/7 在线", "七乘二十四小时在线。"),
        ("7*24小时", "七乘二十四小时。"),
        ("满300-50", "满三百减五十。"),
        ("满300元-50元", "满三百元减五十元。"),
        ("满300-500元", "满三百到五百元。"),
    ],
)
def test_fractions_and_rebates_are_told_from_choices_and_ranges(written: str, said: str) -> None:
    assert speakable(written, language="zh") == said


@pytest.mark.parametrize(
    ("written", "said"),
    [("2点", "两点。"), ("2:00", "两点。"), ("12点", "十二点。"), ("12:00", "十二点。"), ("第2点", "第二点。"), ("2月", "二月。")],
)
def test_two_is_said_as_hours_and_months_have_it(written: str, said: str) -> None:
    assert speakable(written, language="zh") == said

"""Forms of the channels: numbered short messages, words for a voice, no emoji where none belongs."""

from __future__ import annotations

import pytest

from yingda.reply.emoji import has_emoji, without_emoji
from yingda.reply.numerals import cardinal, one_by_one
from yingda.reply.sms import segments, units
from yingda.reply.speech import speakable

# ---- short messages (3GPP TS 23.038 and 23.040) ----


def test_seventy_units_are_one_message_and_one_more_makes_two() -> None:
    assert segments("字" * 70) == ("字" * 70,)
    assert [part[:5] for part in segments("字" * 71)] == ["(1/2)", "(2/2)"]
    assert segments("") == ()


def test_several_messages_hold_67_units_each_with_their_number() -> None:
    parts = segments("字" * 200)
    assert [units(part) for part in parts] == [67, 67, 67, 19]


def test_a_message_ends_with_a_sentence_where_one_ends_late_enough() -> None:
    parts = segments("甲" * 40 + "。" + "乙" * 50 + "。")
    assert parts == ("(1/2)" + "甲" * 40 + "。", "(2/2)" + "乙" * 50 + "。")


def test_a_sentence_that_ends_early_does_not_waste_a_message() -> None:
    assert units(segments("好。" + "字" * 100)[0]) == 67


def test_a_number_is_not_cut_in_two() -> None:
    first = segments("字" * 55 + "400-000-0000" + "字" * 30)[0]
    assert first == "(1/2)" + "字" * 55


def test_a_character_outside_the_basic_plane_counts_twice_and_is_never_cut() -> None:
    assert units("𠮷") == 2
    parts = segments("字" * 61 + "𠮷" + "字" * 30)
    assert parts[0] == "(1/2)" + "字" * 61


def test_ten_messages_and_more_keep_to_the_limit() -> None:
    parts = segments("字" * 1000)
    assert parts[0].startswith(f"(1/{len(parts)})") and len(parts) >= 10
    assert all(units(part) <= 67 for part in parts)


# ---- speech ----


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("400-000-0000", "四零零，零零零，零零零零。"),
        ("2–5 天", "二到五天。"),
        ("1-3 个工作日", "一到三个工作日。"),
        ("48 小时", "四十八小时。"),
        ("2 小时", "两小时。"),
        ("第2天", "第二天。"),
        ("每天 9:00–22:00", "每天九点到二十二点。"),
        ("9:05", "九点零五分。"),
        ("14:30", "十四点三十分。"),
        ("2026-11-25", "二零二六年十一月二十五日。"),
        ("11月25日 11:00 前", "十一月二十五日十一点前。"),
        ("满 99 元", "满九十九元。"),
        ("¥99.5", "九十九点五元。"),
        ("10%", "百分之十。"),
        ("5%-10%", "百分之五到百分之十。"),
        ("10000 元", "一万元。"),
        ("打 12315", "打幺二三幺五。"),
        ("3、6、12 期", "三、六、十二期。"),
        ("1. 退货\n2. 换货", "第一，退货。\n第二，换货。"),
        ("「我的」→「设置」", "我的，设置。"),
        ("发到 b2b@example.com", "发到b2b艾特example点com。".replace("b2b", "b二b")),
        ("https://www.example.com/a", "www点example点com斜杠a。".replace("点", "点")),
        ("单号 SF123", "单号S F幺二三。"),
        ("回复“人工” 😊", "回复人工。"),
        ("V1.5 版", "V一点五版。"),
    ],
)
def test_chinese_is_said_as_it_is_spoken(written: str, said: str) -> None:
    assert speakable(written, language="zh").replace(" ", "") == said.replace(" ", "")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Call 400-000-0000", "Call 4 0 0, 0 0 0, 0 0 0 0."),
        ("2–5 days", "2 to 5 days."),
        ("9:00–22:00", "9 a.m. to 10 p.m."),
        ("12:30", "12 30 p.m."),
        ("0:15", "12 15 a.m."),
        ("CNY 99", "99 yuan."),
        ("1. Return\n2. Exchange", "First, Return.\nSecond, Exchange."),
        ("b2b@example.com", "b2b at example dot com."),
        ("Reply “agent” 😊", "Reply agent."),
        ("order 202611220", "order 2 0 2 6 1 1 2 2 0."),
    ],
)
def test_english_is_said_as_it_is_spoken(written: str, said: str) -> None:
    assert speakable(written, language="en") == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        *(("0", "零"), ("7", "七"), ("10", "十"), ("11", "十一"), ("20", "二十"), ("101", "一百零一"), ("110", "一百一十")),
        *(("1005", "一千零五"), ("1050", "一千零五十"), ("10005", "一万零五"), ("10500", "一万零五百"), ("100000", "十万")),
        *(("1000001", "一百万零一"), ("100000000", "一亿"), ("100010000", "一亿零一万"), ("0.5", "零点五"), ("99.10", "九十九点一零")),
    ],
)
def test_numbers_are_said_in_chinese(number: str, said: str) -> None:
    assert cardinal(number) == said


def test_digits_are_said_one_by_one_with_yao() -> None:
    assert one_by_one("110") == "幺幺零"


# ---- emoji ----


@pytest.mark.parametrize("emoji", ["😊", "❤️", "👍🏽", "👨‍👩‍👧", "🇨🇳", "⭐", "☎️"])
def test_emoji_go_with_the_blank_before_them(emoji: str) -> None:
    assert has_emoji(emoji)
    assert without_emoji(f"谢谢 {emoji}再见") == "谢谢再见"


@pytest.mark.parametrize("text", ["「我的」→「设置」", "①②③", "99 元（含税）", "¥5 × 2", "…—–", "𠮷"])
def test_other_signs_stay(text: str) -> None:
    assert without_emoji(text) == text

"""When something happened, as customers write it; and what only looks like it."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingda.understand.entities import find_entities


def times(text: str) -> list[str]:
    """The stretches that tell a time."""
    return [text[entity.start : entity.end] for entity in find_entities(text) if entity.type == "time"]


@pytest.mark.parametrize(
    ("text", "stretch"),
    [
        *(
            ("上周三买的", "上周三"),
            ("前天下的单", "前天"),
            ("大前天到的", "大前天"),
            ("昨天晚上8点付的款", "昨天晚上8点"),
            ("昨晚九点半扣的", "昨晚九点半"),
        ),
        *(
            ("3号下单到现在没发", "3号"),
            ("三号买的", "三号"),
            ("11月3号签收", "11月3号"),
            ("十一月三日", "十一月三日"),
            ("上个月15号", "上个月15号"),
        ),
        *(
            ("2026-11-03 付款", "2026-11-03"),
            ("2026年11月3日下午三点", "2026年11月3日下午三点"),
            ("2026/11/3", "2026/11/3"),
            ("2026.11.03", "2026.11.03"),
        ),
        *(("下午三点来过电话", "下午三点"), ("早上10:30送的", "早上10:30"), ("15:30 显示签收", "15:30"), ("三点半就到了", "三点半")),
        *(
            ("三天前寄回去的", "三天前"),
            ("2个小时前", "2个小时前"),
            ("半个月前买的", "半个月前"),
            ("周三发的", "周三"),
            ("上周末", "上周末"),
        ),
        *(("今天付款扣了两次", "今天"), ("星期天买的", "星期天"), ("这周一", "这周一"), ("本周五下单", "本周五")),
        *(
            ("I bought it yesterday", "yesterday"),
            ("last Monday", "last Monday"),
            ("two days ago", "two days ago"),
            ("on Nov 3rd", "Nov 3rd"),
        ),
        *(("it came at 3:30 pm", "3:30 pm"), ("the day before yesterday", "the day before yesterday")),
    ],
)
def test_a_time_is_found(text: str, stretch: str) -> None:
    assert times(text) == [stretch]
    assert [entity.text for entity in find_entities(text) if entity.type == "time"] == [stretch]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "明天能到吗",
            "后天呢",
            "下周三发吗",
            "今晚送",
            "下个月3号",
            "三天后",
            "7天内退",
            "每天上午9点",
            "每周三上新",
            "tomorrow",
            "next Monday",
        ),
        *("3号链接有货吗", "3号店", "5号电池", "28号的鞋", "选3号", "第3号", "38号", "文三路12号", "幸福小区5号", "1号线", "口红要3号"),
        *("一周三次", "两周一次", "周六福", "周一到周五", "目前天气", "以前天天", "提前3天", "快一点半价", "16:9的屏幕", "一点半价"),
        *("版本11.3", "99.5元", "8.5折", "3点积分", "DD20261103", "20261103123456", "13811031530", "SF1234567890123", "订单号2026-11-03"),
        *("几点下班", "什么时候发货", "几号到", "9:00-22:00", "110-2026-11-03", "今年", "一年前买的不算"),
    ],
)
def test_what_lies_ahead_or_only_looks_like_a_time_is_none(text: str) -> None:
    assert times(text) == []


@given(st.from_regex(r"1[3-9][0-9]{9}|[0-9]{12,20}|(?:DD|SF)[0-9]{8,13}", fullmatch=True))
def test_no_part_of_a_number_is_a_time(number: str) -> None:
    assert times(f"单号{number}，") == []
    assert times(number) == []


@given(st.text("上下前昨今明天周月日号点半三十12: -/年早晚午", max_size=40))
def test_stretches_fit_the_text_and_never_overlap(text: str) -> None:
    found = [entity for entity in find_entities(text) if entity.type == "time"]

    assert all(0 <= each.start < each.end <= len(text) for each in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


@pytest.mark.parametrize("unit", ["1", "十", "周", "月", "三号", "上个", "3 ", "天前"])
def test_long_texts_take_no_more_than_their_length(unit: str) -> None:
    started = time.process_time()
    times(unit * (2000 // len(unit)))

    assert time.process_time() - started < 2.0, "seconds of processor time; a pattern that backtracks takes minutes"

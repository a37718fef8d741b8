"""When something happened, as customers write it: a day, a date, a time of day (上周三, 3号下午, 2026-11-03, 晚上八点).

Careful rather than complete: a number is a time only with what makes it one, never a price, a size, a house number or part of an
identifier. What lies ahead (明天, 下周) or comes again (每天) is no time at which something happened: it is recognised and not told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_ONES = "一二三四五六七八九"
_DAY = rf"(?:3[01]|[12]\d|0?[1-9]|三十一?|二?十[{_ONES}]?|[{_ONES}])"
_MONTH = rf"(?:1[0-2]|0?[1-9]|十[一二]?|[{_ONES}])"
_OF_MONTH = r"\s?[日号號]"
_ALONE = r"(?<![\dA-Za-z.\-/:：])"
"""No digit of a longer number, an identifier, a price or a version stands before it."""

_YMD = "|".join(rf"20[0-3]\d{mark}(?:1[0-2]|0?[1-9]){mark}(?:3[01]|[12]\d|0?[1-9])(?![-/.]?[\dA-Za-z])" for mark in ("-", "/", r"\."))
_WEEK = "(?:周|星期|礼拜|禮拜)"
_WEEKDAY = "[一二三四五六日天]"
_OFTEN = "[次回件度岁福到至~-]"
_COUNT = rf"(?:\d{{1,3}}|好几|[{_ONES}两几半十]{{1,3}})"
_UNIT = "(?:天|日|个?小时|个?钟头|分钟|个?星期|个?礼拜|周|个?月)"

_HOUSE = "路街道巷弄里村院区座室楼栋幢元"
_PICK = "选要第月年到至型款色#＃"
_DONE = r"[买買拍下付发發寄签收申退提送早上中凌那开左之以前后就才都已我]"
_GOODS = "[鞋裤码电色衣款腰袜链楼店门线]"
_BARE_DAY = rf"(?<![{_HOUSE}{_PICK}]){_ALONE}{_DAY}\s?[号號](?=$|[\s,，。.!！?？、~～;；]|{_DONE}|的(?!{_GOODS}))"

_ENGLISH_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_ENGLISH_DAY = r"(?:3[01]|[12]\d|[1-9])(?:st|nd|rd|th)?"
_ENGLISH_DATES = (
    rf"\b(?:the day before yesterday|yesterday|today|last (?:night|week|month|(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
    rf"|(?:\d{{1,2}}|an?|one|two|three|four|five|six|seven|a few) (?:hour|day|week|month)s? ago"
    rf"|{_ENGLISH_MONTH}\.? {_ENGLISH_DAY}|{_ENGLISH_DAY} (?:of )?{_ENGLISH_MONTH})\b"
)

_DATES = (
    rf"{_ALONE}20[0-3]\d\s?年\s?{_MONTH}\s?月(?:\s?{_DAY}{_OF_MONTH})?",
    rf"{_ALONE}(?:{_YMD})",
    rf"{_ALONE}{_MONTH}\s?月\s?{_DAY}{_OF_MONTH}",
    rf"(?:上个?|这个?|本)月\s?{_DAY}{_OF_MONTH}|上个?月[初中底末]?",
    r"大前天|(?<![提目之以当])前[天日](?![天气数内])|昨[天日儿晚夜]|今[天日儿早晨]",
    rf"上{{1,2}}个?{_WEEK}(?:{_WEEKDAY}|末)?|(?:这个?|本){_WEEK}(?:{_WEEKDAY}(?!{_OFTEN})|末)",
    rf"(?<![下每{_ONES}两几半到至~-])(?<![下每]个){_WEEK}{_WEEKDAY}(?!{_OFTEN})",
    rf"{_ALONE}(?<!提){_COUNT}\s?{_UNIT}[之以]?前",
    _BARE_DAY,
    _ENGLISH_DATES,
)
_DATE = f"(?:{'|'.join(_DATES)})"

_PART = "(?:凌晨|清晨|早上|早晨|一早|上午|中午|下午|傍晚|晚上|夜里|半夜|大半夜)"
_HOUR = rf"(?:2[0-4]|1\d|0?\d|十[一二]?|[{_ONES}两])"
_MINUTES = rf"(?:[0-5]?\d分?|[二三四五]?十[{_ONES}]?分?)"
_CLOCK = rf"{_HOUR}\s?(?:[:：][0-5]\d(?!\d)|[点點时](?:半|一刻|三刻|钟|整|左右|{_MINUTES}|多(?![余少]))?)"
_RANGE = r"(?!\s?[-~～–—至到]\s?\d)"
_BARE_CLOCK = (
    rf"{_ALONE}(?<![-~～–—至到])(?:(?:2[0-3]|1\d|0?\d)[:：][0-5]\d(?![\d:：])"
    rf"|(?:2[0-4]|1\d|0?\d|十[一二]?|[二两三四五六七八九])[点點](?:半|钟|左右|[0-5]?\d分)){_RANGE}"
)
_ENGLISH_CLOCK = r"\b(?:1[0-2]|[1-9])(?::[0-5]\d)?\s?[ap]\.?m\b\.?"
_BEHIND = rf"(?:的?\s?{_PART}(?:\s?{_CLOCK})?|\s?{_CLOCK}|(?: at)? {_ENGLISH_CLOCK})?"

_AHEAD = (
    rf"(?:大后|明|后)[天日]|明[早晚儿]|今晚|下{{1,2}}个?(?:{_WEEK}{_WEEKDAY}?|月(?:\s?{_DAY}{_OF_MONTH})?)"
    rf"|{_ALONE}{_COUNT}\s?{_UNIT}[之以]?[后内]|每天|天天|平时|每个?{_WEEK}{_WEEKDAY}?|每个?月(?:\s?{_DAY}{_OF_MONTH})?"
    r"|\b(?:tomorrow|tonight|next (?:week|month|\w{3,6}day)|every day|daily)\b"
)

_TIME = re.compile(
    rf"(?P<ahead>(?:{_AHEAD}){_BEHIND})|(?P<value>{_DATE}{_BEHIND}|{_PART}\s?{_CLOCK}{_RANGE}|{_ENGLISH_CLOCK}|{_BARE_CLOCK})",
    re.IGNORECASE,
)
_CUE = re.compile(
    r"[天日儿晚夜早晨周期拜月前号號点點时]|\d[:：]\d|20\d\d[-/.]|ago|day|night|last|[ap]\.?m|jan|feb|mar|apr|ju[nl]|aug|sep|oct|nov|dec",
    re.IGNORECASE,
)
"""Without one of these nothing is looked for."""


def find_times(text: str) -> Iterator[tuple[bool, int, int]]:
    """Stretches of ``text`` that name a time, in order; True for what happened or may have, False for what lies ahead or comes again."""
    if _CUE.search(text):
        for match in _TIME.finditer(text):
            yield match.lastgroup == "value", match.start(), match.end()

"""What an answer commits the shop to: its numbers with their units, its policy variables, and whether it says yes or no."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isclose

_UNITS = {
    "工作日": "工作日",
    "working day": "工作日",
    "business day": "工作日",
    "小时": "小时",
    "hour": "小时",
    "分钟": "分钟",
    "minute": "分钟",
    "天": "天",
    "日": "天",
    "day": "天",
    "周": "周",
    "星期": "周",
    "week": "周",
    "月": "月",
    "month": "月",
    "年": "年",
    "year": "年",
    "元": "元",
    "块": "元",
    "yuan": "元",
    "cny": "元",
    "%": "%",
    "折": "折",
    "次": "次",
    "time": "次",
    "件": "件",
    "item": "件",
    "张": "张",
    "积分": "积分",
    "point": "积分",
    "期": "期",
    "公斤": "公斤",
    "kg": "公斤",
}
_DIGIT = dict(zip("零一二两三四五六七八九", (0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
_NUMBER = r"\d+(?:\.\d+)?|[一二两三四五六七八九十百]{1,5}"
_RANGE = rf"({_NUMBER})(?:\s*[-–—~～至到]\s*({_NUMBER}))?"
_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_QUANTITY = re.compile(rf"{_RANGE}\s*(?:个|個)?\s*({_UNIT})", re.IGNORECASE)
_HOURS = {
    **dict.fromkeys(("分钟", "minute"), 1 / 60),
    **dict.fromkeys(("小时", "hour"), 1),
    **dict.fromkeys(("天", "day"), 24),
    **dict.fromkeys(("周", "星期", "week"), 7 * 24),
    **dict.fromkeys(("月", "month"), 30 * 24),
    **dict.fromkeys(("年", "year"), 365 * 24),
}
_LENGTH = re.compile(
    rf"(?<![第\d.])(?<!第 ){_RANGE}\s*(?:(分钟|天|周|年)|(?:个|個)?\s*(小时|星期)|(?:个|個)\s*(月)|(minute|hour|day|week|month|year)s?\b)",
    re.IGNORECASE,
)
"""How long something takes; 9 月 and 5 日 are dates, and working days are no number of hours."""
_INEXACT = 0.07
"""By how much months and years may differ from days and weeks: four weeks, 30 and 31 days are all a month."""
_MOST_YEARS = 100
"""Beyond is a year of the calendar."""
_PRICE = re.compile(rf"(?:CNY|RMB|¥|￥)\s*{_RANGE}", re.IGNORECASE)
_VARIABLE = re.compile(r"\{([^{}]+)\}")
_SENTENCE = re.compile(r"[。！？!?；;\n]|\.(?:\s|$)")
_NO = (
    r"禁止|严禁|不得(?!不|已)|不准|不许|请勿|不保修|不质保|不支持|不可以|不可|不能|不行|不会|不包|不提供|不允许|不予|无法|没法|没有|暂无|暂不|no\b|not\b|cannot|can't|won't|unable|never",
    r"支持|可以|可以的|能|会|行|有|包|提供|允许|yes\b|can\b|will\b|may\b|able",
)
_BARE = re.compile(rf"(?:(?:保修|质保|约|大约)\s*)?{_LENGTH.pattern}内?", re.IGNORECASE)
"""An answer that is nothing but a length of time: whoever is told how long is told that there is one."""
_POLARITY = re.compile(rf"(?P<no>{_NO[0]})|(?P<yes>{_NO[1]})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Length:
    """How long something takes, in hours at least and at most, as it is written, and whether its unit is a month or a year."""

    least: float
    most: float
    written: str
    inexact: bool

    def agrees(self, other: Length) -> bool:
        """True when both may mean the same; units that are no fixed number of hours are allowed to differ a little."""
        allowed = _INEXACT if self.inexact or other.inexact else 1e-9
        return isclose(self.least, other.least, rel_tol=allowed) and isclose(self.most, other.most, rel_tol=allowed)


@dataclass(frozen=True, slots=True)
class Facts:
    """What an answer says; ``quantities`` by unit, each as written in figures (``7``, ``1–3``); ``says`` is yes, no or None.

    ``lengths`` are those of the quantities that are lengths of time, whatever their unit.
    """

    quantities: Mapping[str, frozenset[str]]
    variables: frozenset[str]
    says: str | None
    lengths: frozenset[Length]


def facts_of(answer: str, values: Mapping[str, str]) -> Facts:
    """The facts of an answer, policy variables read through ``values`` (name to what the shop promises)."""
    variables = frozenset(_VARIABLE.findall(answer)) & set(values)
    text = _VARIABLE.sub(lambda match: values.get(match[1], ""), answer)
    found: dict[str, set[str]] = {}
    for match in _QUANTITY.finditer(text):
        found.setdefault(_UNITS[match[3].lower()], set()).add(_written(match[1], match[2]))
    for match in _PRICE.finditer(text):
        found.setdefault("元", set()).add(_written(match[1], match[2]))
    quantities = {unit: frozenset(numbers) for unit, numbers in found.items()}
    return Facts(quantities, variables, _says(_SENTENCE.split(text.strip(), maxsplit=1)[0]), frozenset(_lengths(text)))


def _says(sentence: str) -> str | None:
    polarity = _POLARITY.search(sentence)
    if polarity is None:
        return "yes" if _BARE.fullmatch(sentence.strip()) else None
    return polarity.lastgroup


def _lengths(text: str) -> Iterator[Length]:
    for match in _LENGTH.finditer(text):
        unit = next(group for group in match.groups()[2:] if group).lower()
        least, most = (float(_figure(number)) for number in (match[1], match[2] or match[1]))
        if _UNITS[unit] != "年" or most < _MOST_YEARS:
            yield Length(
                least * _HOURS[unit], most * _HOURS[unit], f"{_written(match[1], match[2])} {_UNITS[unit]}", _UNITS[unit] in "月年"
            )


def disagreements(first: Facts, second: Facts) -> list[str]:
    """Where two answers to one question cannot both hold, each in a few words; first's word comes first."""
    found = [
        f"{_all(first.quantities[unit])} {unit} ≠ {_all(second.quantities[unit])} {unit}"
        for unit in sorted(first.quantities.keys() & second.quantities.keys())
        if not first.quantities[unit] & second.quantities[unit]
    ]
    if len(first.lengths) == len(second.lengths) == 1 and not first.quantities.keys() & second.quantities.keys() & set(_HOURS):
        # of several lengths nobody knows which stands against which
        [one], [other] = first.lengths, second.lengths
        if not one.agrees(other):
            found.append(f"{one.written} ≠ {other.written}")
    if first.variables and second.variables and not first.variables & second.variables:
        found.append(f"{{{_all(first.variables)}}} ≠ {{{_all(second.variables)}}}")
    if first.says and second.says and first.says != second.says:
        found.append(f"{first.says} ≠ {second.says}")
    return found


def _all(words: frozenset[str]) -> str:
    return "/".join(sorted(words))


def _written(low: str, high: str | None) -> str:
    return _figure(low) if high is None else f"{_figure(low)}–{_figure(high)}"


def _figure(number: str) -> str:
    """Chinese numerals up to 999 as figures; figures without idle zeros."""
    if number[0].isdigit():
        return number.rstrip("0").rstrip(".") if "." in number else str(int(number))
    total, digit = 0, 0
    for char in number:
        if char in "十百":
            total, digit = total + (digit or 1) * (10 if char == "十" else 100), 0
        else:
            digit = _DIGIT[char]
    return str(total + digit)

"""What an answer commits the shop to: its numbers with their units, its policy variables, and whether it says yes or no."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

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
_PRICE = re.compile(rf"(?:CNY|RMB|¥|￥)\s*{_RANGE}", re.IGNORECASE)
_VARIABLE = re.compile(r"\{([^{}]+)\}")
_SENTENCE = re.compile(r"[。！？!?；;\n]|\.(?:\s|$)")
_NO = (
    r"不支持|不可以|不可|不能|不行|不会|不包|不提供|不允许|不予|无法|没法|没有|暂无|暂不|no\b|not\b|cannot|can't|won't|unable|never",
    r"支持|可以|可以的|能|会|行|有|包|提供|允许|yes\b|can\b|will\b|may\b|able",
)
_POLARITY = re.compile(rf"(?P<no>{_NO[0]})|(?P<yes>{_NO[1]})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Facts:
    """What an answer says; ``quantities`` by unit, each as written in figures (``7``, ``1–3``); ``says`` is yes, no or None."""

    quantities: Mapping[str, frozenset[str]]
    variables: frozenset[str]
    says: str | None


def facts_of(answer: str, values: Mapping[str, str]) -> Facts:
    """The facts of an answer, policy variables read through ``values`` (name to what the shop promises)."""
    variables = frozenset(_VARIABLE.findall(answer)) & set(values)
    text = _VARIABLE.sub(lambda match: values.get(match[1], ""), answer)
    found: dict[str, set[str]] = {}
    for match in _QUANTITY.finditer(text):
        found.setdefault(_UNITS[match[3].lower()], set()).add(_written(match[1], match[2]))
    for match in _PRICE.finditer(text):
        found.setdefault("元", set()).add(_written(match[1], match[2]))
    polarity = _POLARITY.search(_SENTENCE.split(text.strip(), maxsplit=1)[0])
    return Facts({unit: frozenset(numbers) for unit, numbers in found.items()}, variables, polarity.lastgroup if polarity else None)


def disagreements(first: Facts, second: Facts) -> list[str]:
    """Where two answers to one question cannot both hold, each in a few words; first's word comes first."""
    found = [
        f"{_all(first.quantities[unit])} {unit} ≠ {_all(second.quantities[unit])} {unit}"
        for unit in sorted(first.quantities.keys() & second.quantities.keys())
        if not first.quantities[unit] & second.quantities[unit]
    ]
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

"""Signs that are read as words: units of measure, circled numbers and fractions in one character."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import partial

from yingda.reply.numerals import cardinal

_UNITS: Mapping[str, tuple[str, str]] = {
    "kg": ("千克", "kilograms"),
    "mg": ("毫克", "milligrams"),
    "km": ("千米", "kilometres"),
    "cm": ("厘米", "centimetres"),
    "mm": ("毫米", "millimetres"),
    "m²": ("平方米", "square metres"),
    "m³": ("立方米", "cubic metres"),
    "ml": ("毫升", "millilitres"),
    "mah": ("毫安时", "milliampere hours"),
    "kw": ("千瓦", "kilowatts"),
    "gb": ("G", "gigabytes"),  # said as the letter; so the number is worded here, before letters and digits are spelled
    "mb": ("兆", "megabytes"),
    "tb": ("T", "terabytes"),
    "ghz": ("吉赫", "gigahertz"),
    "hz": ("赫兹", "hertz"),
}
"""As written, in lower case, and as said in Chinese and English (GB 3100-1993); case does not matter, nor a blank before it."""
_LETTERS: Mapping[str, tuple[str, str]] = {
    "g": ("克", "grams"),
    "m": ("米", "metres"),
    "L": ("升", "litres"),
    "W": ("瓦", "watts"),
    "V": ("伏", "volts"),
}
"""Units of one letter, which must be written so, right behind the number: 5G is a network, 10w is 十万, 60 W may be a model."""
_NUMBER = r"(?<![A-Za-z0-9.])(?<![A-Za-z]-)(\d+(?:,\d{3})*(?:\.\d+)?)"
_MEASURED = re.compile(rf"{_NUMBER}(?: ?((?i:{'|'.join(sorted(_UNITS, key=len, reverse=True))}))|([{''.join(_LETTERS)}]))(?![A-Za-z0-9²³])")
_ONE_CHARACTER = {"㎎": "mg", "㎏": "kg", "㎖": "ml", "㎜": "mm", "㎝": "cm", "㎞": "km", "㎡": "m²", "㎥": "m³"}
_CIRCLED = re.compile("[①-⑳⑴-⒇⒈-⒛❶-❿]")
_SQUARED = re.compile("(?<![A-Za-z])m[²³]")
_FRACTION = re.compile("(\\d*)([½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])")
_ENGLISH_PARTS = {"2": "half", "3": "third", "4": "quarter", "5": "fifth", "6": "sixth", "8": "eighth"}
_PARTS = {"½": "1/2", **{char: unicodedata.normalize("NFKC", char).replace("\u2044", "/") for char in "⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}}


def in_words(text: str, *, language: str) -> str:
    """``text`` with such signs in Chinese words (``zh``) or English ones (anything else); all other characters stay."""
    chinese = language == "zh"
    for sign, unit in _ONE_CHARACTER.items():
        text = text.replace(sign, unit)
    text = _CIRCLED.sub(partial(_ordinal, chinese=chinese), text)
    text = _FRACTION.sub(partial(_fraction, chinese=chinese), text)
    text = _MEASURED.sub(partial(_measured, chinese=chinese), text)
    return _SQUARED.sub(lambda match: _UNITS[match.group()][0 if chinese else 1], text)


def _ordinal(match: re.Match[str], *, chinese: bool) -> str:
    number = int(unicodedata.numeric(match.group()))
    comma = "，" if chinese else ", "
    gap = comma if match.string[: match.start()].rstrip(" ")[-1:].isalnum() else ""
    return f"{gap}第{cardinal(str(number))}，" if chinese else f"{gap}{number}, "


def _fraction(match: re.Match[str], *, chinese: bool) -> str:
    whole, (part, parts) = match.group(1), _PARTS[match.group(2)].split("/")
    if chinese:
        return f"{cardinal(whole)}又{cardinal(parts)}分之{cardinal(part)}" if whole else f"{cardinal(parts)}分之{cardinal(part)}"
    said = f"{'one' if part == '1' else part} {_ENGLISH_PARTS[parts]}{'s' if part != '1' else ''}"
    return f"{whole} and {said}" if whole else said


def _measured(match: re.Match[str], *, chinese: bool) -> str:
    number, unit, letter = match.groups()
    said, english = _LETTERS[letter] if letter else _UNITS[unit.lower()]
    if not chinese:
        return f"{number} {english}"
    return f"{cardinal(number.replace(',', '')) if said.isascii() else number}{said}"

"""Numbers as they are said in Chinese."""

from __future__ import annotations

_DIGITS = "零一二三四五六七八九"
_SAID = str.maketrans("0123456789", "零幺二三四五六七八九")
_PLAIN = str.maketrans("0123456789", _DIGITS)
_PLACES = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")


def cardinal(number: str) -> str:
    """``99.5`` as 九十九点五, ``10000`` as 一万; digits and at most one decimal point, 16 digits before it at most."""
    whole, _, fraction = number.partition(".")
    said = _whole(int(whole or "0")) if len(whole) <= 16 else one_by_one(whole)
    return f"{said}点{year(fraction)}" if fraction else said


def one_by_one(digits: str) -> str:
    """Digit by digit, as telephone and order numbers are: 幺 for one, which 七 cannot be mistaken for."""
    return digits.translate(_SAID)


def year(digits: str) -> str:
    """Digit by digit with 一, as years and decimals are."""
    return digits.translate(_PLAIN)


def _whole(number: int) -> str:
    if number == 0:
        return _DIGITS[0]
    said, group, missing = "", 0, False
    while number:
        number, four = divmod(number, 10_000)
        if four:
            # a group that does not reach its thousands leaves a gap before what follows it
            gap = _DIGITS[0] if missing and said else ""
            said = _four(four) + _GROUPS[group] + gap + said
            missing = four < 1000
        elif said:
            missing = True
        group += 1
    return said.removeprefix("一") if said.startswith("一十") else said


def _four(number: int) -> str:
    said, gap = "", False
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit:
            said += (_DIGITS[0] if gap and said else "") + _DIGITS[digit] + _PLACES[place]
            gap = False
        else:
            gap = True
    return said

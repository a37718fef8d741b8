"""Slips and habits of typing customers, applied to training texts: the label never depends on them.

What the normaliser already undoes (width, traditional characters, repeats) needs no augmentation: a model sees
normalised text alone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache

from pypinyin import Style, lazy_pinyin

Noise = Callable[[str, random.Random], str]

_HAN = re.compile("[\u4e00-\u9fff]")
_MARKS = re.compile(r"[，。！？、；：,.!?;:~…]+")
_BEFORE = ("你好", "你好,", "在吗", "在吗,", "亲,", "请问", "请问一下", "那个", "麻烦问下", "hi,", "额", "客服")
_AFTER = ("谢谢", "呢", "啊", "哈", "呀", "亲", "急", "?", "!", "...", "麻烦了", "在线等")
_SIZES = (10, 12, 15, 19)


@cache
def homophones() -> dict[str, str]:
    """Common characters by the others that sound the same, tones aside: what a pinyin keyboard offers instead."""
    # the 3,755 characters of GB 2312 level 1; the last five places of its last row are empty
    rows = (bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    common = [char for char in (code.decode("gb2312", "ignore") for code in rows) if char]
    groups: dict[str, list[str]] = {}
    for char, sound in zip(common, lazy_pinyin(common, style=Style.NORMAL), strict=True):
        groups.setdefault(sound, []).append(char)
    return {char: "".join(other for other in same if other != char) for same in groups.values() for char in same if len(same) > 1}


def typing_slip(text: str, generator: random.Random) -> str:
    """``text`` with one character dropped, doubled or swapped with its neighbour; texts under 4 characters stay."""
    if len(text) < 4:
        return text
    at = generator.randrange(len(text) - 1)
    slips = (text[:at] + text[at + 1 :], text[: at + 1] + text[at:], text[:at] + text[at + 1] + text[at] + text[at + 2 :])
    return generator.choice(slips)


def wrong_character(text: str, generator: random.Random) -> str:
    """``text`` with one Chinese character replaced by one that sounds the same; texts under 4 characters stay."""
    places = [at for at, char in enumerate(text) if char in homophones()] if len(text) >= 4 else []
    if not places:
        return text
    at = generator.choice(places)
    return text[:at] + generator.choice(homophones()[text[at]]) + text[at + 1 :]


def run_on(text: str, generator: random.Random) -> str:
    """``text`` as speech input writes it: without punctuation, or with blanks in its place."""
    bare = _MARKS.sub(generator.choice(("", " ")), text).strip()
    return bare or text


def small_talk(text: str, generator: random.Random) -> str:
    """``text`` behind a greeting, before a particle, or with an order number: none of it is the request."""
    if not _HAN.search(text):
        return text
    kind = generator.randrange(3)
    if kind == 0:
        return generator.choice(_BEFORE) + text
    if kind == 1:
        return text + generator.choice(_AFTER)
    number = "".join(generator.choice("0123456789") for _ in range(generator.choice(_SIZES)))
    return generator.choice((f"{text} {number}", f"{text} 订单号{number}", f"{number} {text}"))


NOISES: tuple[Noise, ...] = (typing_slip, wrong_character, run_on, small_talk)


def disturb(text: str, generator: random.Random) -> str:
    """``text`` with one of the noises."""
    return generator.choice(NOISES)(text, generator)

"""Changes of a Chinese message that leave open nothing about what it asks; each is a function of the text and a seed.

They are what customers of Chinese shops do to their texts: other width and script, repeated characters, exclamation, emoji, careless
punctuation, pasted order numbers, politeness, slips of the keyboard and of the pinyin input, and long introductions.
The idea of label-preserving perturbations is CheckList's (Ribeiro et al., ACL 2020).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from random import Random
from types import MappingProxyType

from opencc import OpenCC

from evaluation.robustness.homophones import HOMOPHONES
from yingda.domain.message import MAX_CHARACTERS

Perturbation = Callable[[str, Random], str]

SEED = 20201
"""Part of the seed of every random choice; name and text of the perturbed message are the other parts."""

STORY = "我是听朋友说起你们店的，平时上班比较忙，一直没顾上来问，今天刚好有点时间，就过来问一下。"
"""A story that tells nothing about the wish behind it."""

FEWEST_FOR_TYPO = 8
"""Characters a text must have for a typo: in a shorter one it may take away the only word that matters."""

_WIDTHS = {half: half + 0xFEE0 for half in range(0x21, 0x7F)}
_OTHER_WIDTH = _WIDTHS | {full: half for half, full in _WIDTHS.items()}
_MARK = re.compile(r"[，。！？；：、…～]|(?<![0-9A-Za-z])[,!?;~]|[,!?;~](?![0-9A-Za-z])")
_INNER_MARK = re.compile(rf"(?:{_MARK.pattern})+(?=.*[^\s，。！？；：、…～,!?;~])", re.DOTALL)
_ENDS_IN_MARK = re.compile(rf"(?:{_MARK.pattern})\s*\Z")
_PARTICLES = "吗呢啊吧呀啦嘛哦"
_EMOJI = ("🙏", "😅", "🥺", "😊", "👀")
_KEEPS_ITS_PLACE = frozenset("不没未别无非勿甭退换改补催修查取装寄钱券")  # without them a text may ask something else
_HAN = re.compile("[\u4e00-\u9fff]")


@lru_cache(maxsize=1)
def _to_traditional() -> OpenCC:
    return OpenCC("s2tw")


def width(text: str, _: Random) -> str:
    """Full-width letters, digits and marks in half width, and the other way round."""
    return text.translate(_OTHER_WIDTH)


def traditional(text: str, _: Random) -> str:
    """Traditional characters as written in Taiwan."""
    return str(_to_traditional().convert(text))


def drawn_out(text: str, _: Random) -> str:
    """The last sound drawn out: 怎么还不发货啊啊啊"""
    body = _bare(text)
    return body + (body[-1] * 2 if body[-1] in _PARTICLES else "啊啊啊") + text[len(body) :] if body else text


def exclaimed(text: str, _: Random) -> str:
    """Three exclamation marks at the end: 怎么还不发货!!!"""
    body = _bare(text)
    return f"{body}!!!" if body else text


def emoji(text: str, random: Random) -> str:
    """An emoji appended."""
    return text + random.choice(_EMOJI)


def marks_removed(text: str, _: Random) -> str:
    """No punctuation at all."""
    return _MARK.sub("", text)


def marks_doubled(text: str, _: Random) -> str:
    """Every mark of punctuation twice."""
    return _MARK.sub(lambda mark: mark.group() * 2, text)


def marks_spaced(text: str, _: Random) -> str:
    """A blank for every mark between words."""
    return _INNER_MARK.sub(" ", text)


def order_number(text: str, random: Random) -> str:
    """An order number of 18 digits appended."""
    digits = [random.choice("123456789"), *(random.choice("0123456789") for _ in range(17))]
    return f"{_with_comma(text)}订单号{''.join(digits)}"


def polite(text: str, _: Random) -> str:
    """A greeting before and thanks behind."""
    return f"你好，{_with_comma(text)}谢谢"


def swapped(text: str, random: Random) -> str:
    """Two neighbouring characters swapped, in texts of eight characters and more."""
    places = [i for i in range(len(text) - 1) if _may_move(text[i]) and _may_move(text[i + 1]) and text[i] != text[i + 1]]
    if len(text) < FEWEST_FOR_TYPO or not places:
        return text
    at = random.choice(places)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def dropped(text: str, random: Random) -> str:
    """One character left out, in texts of eight characters and more."""
    places = [place for place, char in enumerate(text) if _may_move(char)]
    if len(text) < FEWEST_FOR_TYPO or not places:
        return text
    at = random.choice(places)
    return text[:at] + text[at + 1 :]


def homophone(text: str, random: Random) -> str:
    """One frequent slip of the pinyin input: 发货 as 发或."""
    found = [word for word in HOMOPHONES if word in text]
    if not found:
        return text
    word = random.choice(found)
    return text.replace(word, HOMOPHONES[word], 1)


def story(text: str, _: Random) -> str:
    """A long story before that tells nothing about the wish."""
    return STORY + text


PERTURBATIONS: Mapping[str, Perturbation] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            *(width, traditional, drawn_out, exclaimed, emoji, marks_removed, marks_doubled, marks_spaced),
            *(order_number, polite, swapped, dropped, homophone, story),
        )
    }
)
"""Every perturbation by name; the docstring says what it does."""


def perturb(text: str) -> dict[str, str]:
    """What each perturbation makes of ``text``, by name; those that change nothing or make it blank or too long are left out."""
    changed = {name: change(text, Random(f"{SEED}/{name}/{text}")) for name, change in PERTURBATIONS.items()}
    return {name: found for name, found in changed.items() if found != text and found.strip() and len(found) <= MAX_CHARACTERS}


def _bare(text: str) -> str:
    body = text.rstrip()
    while end := _ENDS_IN_MARK.search(body):
        body = body[: end.start()].rstrip()
    return body


def _with_comma(text: str) -> str:
    body = text.strip()
    return body if _ENDS_IN_MARK.search(body) else f"{body}，"


def _may_move(char: str) -> bool:
    return _HAN.fullmatch(char) is not None and char not in _KEEPS_ITS_PLACE

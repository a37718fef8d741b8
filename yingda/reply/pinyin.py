"""Which end of a name in Latin letters is the surname, where the name may be Chinese."""

from __future__ import annotations

import re
from collections.abc import Sequence

SURNAMES = frozenset(
    (
        *("wang", "li", "zhang", "liu", "chen", "yang", "huang", "zhao", "wu", "zhou", "xu", "sun", "ma", "zhu"),
        *("hu", "guo", "he", "lin", "gao", "luo", "zheng", "liang", "xie", "song", "tang", "deng", "han", "feng"),
        *("cao", "peng", "zeng", "xiao", "tian", "dong", "pan", "yuan", "cai", "jiang", "yu", "du", "ye", "cheng"),
        *("wei", "su", "lu", "ding", "ren", "yao", "shen", "zhong", "tan", "fan", "liao", "shi", "jin", "jia"),
        *("xia", "fu", "fang", "zou", "xiong", "bai", "meng", "qin", "qiu", "hou", "yin", "xue", "yan", "lei"),
        *("long", "tao", "mao", "hao", "gu", "gong", "shao", "qian", "wan", "dai", "mo", "kong", "xiang", "cui"),
        *("kang", "hong", "ouyang", "sima", "shangguan", "zhuge", "huangfu", "murong", "situ", "xiahou"),
    )
)
"""The commonest surnames as pinyin writes them, and the double ones."""

_SYLLABLE = (
    r"(?:(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?(?:iang|iong|uang|ang|eng|ing|ong|ian|iao|uai|uan|ai|ao|an|ei|en|er|ia|ie|in|iu|ou|ua|ue|ui|un|uo|"
    r"[aeiou]))"
)
_PINYIN = re.compile(rf"{_SYLLABLE}{{1,3}}")


def surname_among(words: Sequence[str]) -> str:
    """The surname among the words of a name; nothing where they may be Chinese and their order cannot be known.

    Of two ends the one that is a common Chinese surname (Wang Xiaoming, Xiaoming Wang). A name of syllables alone that has one at
    both ends (Li Wei) or at none tells nothing; any other is taken for a western one (John Smith), whose last word it is.
    """
    first, last = (word.strip(".'-").lower() for word in (words[0], words[-1]))
    if len(words) > 1 and (first in SURNAMES) != (last in SURNAMES):
        return words[0] if first in SURNAMES else words[-1]
    if len(words) == 1 and last in SURNAMES:
        return words[0]
    chinese = all(_PINYIN.fullmatch(re.sub(r"[^a-z]", "", word.lower())) for word in words)
    return "" if chinese else words[-1]

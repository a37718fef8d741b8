"""``{变量}`` substitution: plain text over an allow-list; nothing in a template executes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from yingda.domain.message import Customer, CustomerProfile
from yingda.reply.pinyin import surname_among

_VARIABLE = re.compile(r"\{([^{}]+)\}")
_CJK = "\u3001-\u303f\u3400-\u9fff\uf900-\ufaff\uff01-\uff0f\uff1a-\uff20"
"""Han characters and full-width marks."""
_CHINESE = re.compile(f"[{_CJK}]")
_SPACED = re.compile(rf"((?<=[{_CJK}]) )?\{{([^{{}}]+)\}}( (?=[{_CJK}]))?")
_MR, _MS = ("先生", "Mr."), ("女士", "Ms.")
_TITLES = {"male": _MR, "m": _MR, "男": _MR, "female": _MS, "f": _MS, "女": _MS}
_COMPOUND_SURNAMES = frozenset(
    (
        *("欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "长孙", "宇文", "司徒", "夏侯"),
        *("令狐", "端木", "独孤", "南宫", "轩辕", "百里", "呼延", "申屠", "太史", "澹台", "公冶", "宗政", "濮阳"),
    )
)


def fill(template: str, values: Mapping[str, str]) -> str:
    """``template`` with each ``{变量}`` replaced once; values are never read as templates themselves.

    A variable without a value stays visible as it is written, so that a test finds it; packs are validated.
    """
    return _VARIABLE.sub(lambda match: values.get(match.group(1), match.group(0)), template)


def fill_closed(template: str, values: Mapping[str, str]) -> str:
    """As ``fill``, without the single blank that would stand between Chinese text and a value that is Chinese at that end.

    服务时间是 {客服时间} is written so that the template reads well, and is sent as 服务时间是每天 9:00; a blank beside Latin letters or
    digits stays (满 99 元的订单).
    """

    def filled(match: re.Match[str]) -> str:
        value = values.get(match.group(2))
        if value is None:
            return match.group(0)
        before = "" if _CHINESE.match(value[:1]) else match.group(1) or ""
        behind = "" if _CHINESE.match(value[-1:]) else match.group(3) or ""
        return f"{before}{value}{behind}"

    return _SPACED.sub(filled, template)


def variables_of(template: str) -> tuple[str, ...]:
    """Names of the variables of ``template``, in order, each once."""
    return tuple(dict.fromkeys(_VARIABLE.findall(template)))


def address(name: str | None, gender: str | None, *, language: str) -> str:
    """How to address a customer: surname and title only, 王女士 or Ms. Wang; 您 (or nothing) when unsure or in other letters."""
    chinese = language == "zh"
    title = _TITLES.get((gender or "").strip().lower())
    surname = surname_of(name or "")
    if not surname or title is None:
        return "您" if chinese else ""
    if chinese:
        return f"{surname}{title[0]}"
    # Ms. 王 reads as no name in either language
    return f"{title[1]} {surname}" if surname.isascii() else ""


def profile_of(customer: Customer) -> CustomerProfile:
    """What may be remembered of ``customer``: surname and title, never the name or the id."""
    called = address(customer.name, customer.gender, language="zh")
    return CustomerProfile(customer.tier, "" if called == "您" else called)


def surname_of(name: str) -> str:
    """The surname of a Chinese name (compound ones known, pinyin too), the last word of a western one, or nothing when unsure."""
    bare = name.strip()
    if re.fullmatch(r"[\u4e00-\u9fff·]{1,6}", bare):
        return bare[:2] if bare[:2] in _COMPOUND_SURNAMES else bare[:1]
    if re.fullmatch(r"[A-Za-z][A-Za-z .'-]{0,40}", bare):
        return surname_among(bare.split())
    return ""

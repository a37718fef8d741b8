"""Personal data out: what customers write about themselves becomes placeholders such as 〔手机号〕.

The brackets 〔〕 are left alone by ``normalise``, are known to the tokenizer, and are written by hardly any customer.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from yingda.text.addresses import find_addresses
from yingda.text.names import find_names
from yingda.text.personal_data import PHONE_WALL, RULES, WALL, Found, Rule

OPEN, CLOSE = "〔", "〕"
KINDS = (
    *("手机号", "电话", "身份证号", "银行卡号", "邮箱", "单号", "微信号", "QQ号", "账号"),
    *("地址", "姓名", "车牌号", "护照号", "网址", "IP地址"),
)
"""Every kind that has a placeholder, ``〔kind〕``."""
_SPELT = {"统一社会信用代码": "单号"}
"""Kinds without a placeholder of their own, and whose they share: models have learnt from texts that were masked so."""

_LABELS = (
    "手机号码?|手机|电话号码?|电话|座机|固话|身份证号码?|身份证|银行卡号?|卡号|邮箱|邮件|订单编号|订单号|订单|运单号|快递单号|单号|微信号?|QQ号?|QQ|"
    "账号|帐号|地址|收货地址|姓名|名字|人名|用户名|车牌号?|护照号?|网址|链接|IP地址|IP|数字|号码|金额|时间|日期|站点|组织机构|ID|"
    "PHONE|TEL|MOBILE|NAME|ADDRESS|EMAIL|ORDER|NUMBER|NUM|URL|LINK|CARD|USER"
)
_PLACEHOLDER = re.compile(rf"[〔\[【<{{#](?:{_LABELS})[xX*]?(?:ID)?(?:_\d{{1,12}})?[〕\]】>}}#]")
_BRACKET = re.compile(r"[〔\[【<{#]")
_OF_PHONE = re.compile("手机|电话|号码")
_NUMERALS = str.maketrans("零〇○一壹二贰貳三叁參四肆五伍六陆陸七柒八捌九玖幺", "0001122233344556667788991")
_NUMERAL = re.compile("[零〇○一壹二贰貳三叁參四肆五伍六陆陸七柒八捌九玖幺]")
_DIGIT = re.compile(rf"\d|{_NUMERAL.pattern}")
_CUED = tuple((rule, re.compile("|".join(map(re.escape, rule.cues))).search if rule.cues else None) for rule in RULES)
_KEPT = 4096
_HYPHENS = frozenset("－﹣−‐‑‒–—―﹘ー")
_MARKS = dict(zip("＋．＠＿：／（）＃•・", "+.@_:/()#··", strict=True))


@dataclass(frozen=True, slots=True)
class Masked:
    """A text without personal data, and how many items of each kind were taken out."""

    text: str
    counts: Mapping[str, int]


class Item(NamedTuple):
    """An item of personal data: its kind and its bounds in characters of the text."""

    kind: str
    start: int
    end: int


def mask(text: str) -> str:
    """``text`` with each item of personal data replaced by ``〔kind〕``; idempotent.

    Text that was masked before, such as [手机号], stays as it is.
    """
    return _replaced(text, find_items(text))


def mask_counted(text: str) -> Masked:
    """Like ``mask``, with the number of items by kind."""
    items = find_items(text)
    return Masked(_replaced(text, items), MappingProxyType(dict(Counter(item.kind for item in items))))


def find_items(text: str) -> list[Item]:
    """The items of personal data in ``text``, in order; they never overlap."""
    found: list[Item] = []
    changed, places = text, list[int]()
    # a placeholder may free what stood beside an item (a number without its neighbour), so look until nothing is found
    while spans := _find(changed):
        places = places or list(range(len(text)))
        found += [Item(span.kind, places[span.start], places[span.end - 1] + 1) for span in spans]
        changed, places = _replaced(changed, spans), _places_after(places, spans)
    return sorted(found, key=_start)


def _placeholder(kind: str) -> str:
    return _SPELT.get(kind, kind)


def _start(item: Item) -> int:
    return item.start


def _places_after(places: list[int], spans: list[Item]) -> list[int]:
    """Where each character of the replaced text stood at first; a placeholder stands where its item did."""
    pieces, end = [], 0
    for span in spans:
        pieces += [places[end : span.start], [places[span.start]] * (len(_placeholder(span.kind)) + 2)]
        end = span.end
    return [place for piece in (*pieces, places[end:]) for place in piece]


def _replaced(text: str, spans: list[Item]) -> str:
    pieces, end = [], 0
    for span in spans:
        pieces += [text[end : span.start], f"{OPEN}{_placeholder(span.kind)}{CLOSE}"]
        end = span.end
    return "".join((*pieces, text[end:])) if spans else text


def _find(text: str) -> list[Item]:
    """Items of personal data in order, never overlapping and never inside a placeholder."""
    page = _Page(text)
    for rule in page.rules():
        for start, end in page.matches(rule):
            page.claim(rule.kind, start, end)
    for start, end in find_addresses(page.folded):
        page.claim("地址", start, end)
    for start, end in find_names(page.folded):
        page.claim("姓名", start, end)
    return sorted(page.spans, key=_start)


class _Page:
    """A text in its two folded forms; what has been claimed is walled off in both."""

    def __init__(self, text: str) -> None:
        self.spans: list[Item] = []
        self.folded = text.translate(_FOLDS)
        self._spelt = _NUMERAL.search(self.folded) is not None
        # what cannot be seen has gone from the folded text, and only then places differ
        self._places = range(len(text)) if len(self.folded) == len(text) else [n for n, char in enumerate(text) if _FOLDS[ord(char)]]
        if _BRACKET.search(self.folded):
            for match in _PLACEHOLDER.finditer(self.folded):
                self._wall(match.start(), match.end(), PHONE_WALL if _OF_PHONE.search(match.group()) else WALL)

    def rules(self) -> Iterable[Rule]:
        """Those that can hold here: most messages have hardly a digit, and none of the words a rule asks for."""
        digits = len(_DIGIT.findall(self.folded))
        small = self.folded.lower()
        return [rule for rule, cue in _CUED if rule.digits <= digits and (cue is None or cue(small))]

    def matches(self, rule: Rule) -> Iterator[tuple[int, int]]:
        """Where ``rule`` holds: as written, then with Chinese numerals as digits."""
        yield from self._search(rule, self.folded)
        if rule.numerals and self._spelt:
            yield from self._search(rule, self.folded.translate(_NUMERALS))

    def _search(self, rule: Rule, form: str) -> Iterator[tuple[int, int]]:
        place, folded = 0, self.folded
        while match := rule.pattern.search(form, place):
            group = match.lastgroup or 0
            found = Found(folded, form, match.start(group), match.end(group))
            # after a refusal a later start may still fit
            place = max(match.start(), found.start) + 1
            if rule.holds(found):
                yield found.start, found.end
                place = found.end

    def claim(self, kind: str, start: int, end: int) -> None:
        """Note an item of ``kind``; bounds count folded characters."""
        self.spans.append(Item(kind, self._places[start], self._places[end - 1] + 1))
        self._wall(start, end, PHONE_WALL if kind == "手机号" else WALL)

    def _wall(self, start: int, end: int, wall: str) -> None:
        self.folded = self.folded[:start] + wall * (end - start) + self.folded[end:]


class _Folds(dict[int, str]):
    """One character in place of each, for ``str.translate``, worked out when it is first seen."""

    def __missing__(self, code: int) -> str:
        folded = _fold(chr(code))
        if len(self) < _KEPT:
            self[code] = folded
        return folded


def _fold(char: str) -> str:
    """One character in place of ``char``: digits of any script as ASCII, half width, blanks; nothing for what cannot be seen."""
    if char in _HYPHENS:
        return "-"
    if char in _MARKS:
        return _MARKS[char]
    if char.isspace():
        return " "
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    category = unicodedata.category(char)
    if category in ("Cc", "Cf", "Cs", "Mn", "Me"):
        return ""
    plain = unicodedata.normalize("NFKC", char)
    return plain if len(plain) == 1 and plain.isalpha() and plain.isascii() else char


_FOLDS = _Folds()

"""Personal data out: what customers write about themselves becomes placeholders such as 〔手机号〕.

The brackets 〔〕 are left alone by ``normalise``, are known to the tokenizer, and are written by hardly any customer.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from yingda.text.addresses import find_addresses
from yingda.text.names import find_names
from yingda.text.personal_data import FEWEST_DIGITS, PHONE_WALL, RULES, WALL, WITHOUT_DIGITS, Found, Rule

OPEN, CLOSE = "〔", "〕"
KINDS = (
    *("手机号", "电话", "身份证号", "银行卡号", "邮箱", "单号", "微信号", "QQ号", "账号"),
    *("地址", "姓名", "车牌号", "护照号", "网址", "IP地址"),
)
"""Every kind of personal data; ``〔kind〕`` is its placeholder."""

_LABELS = (
    "手机号码?|手机|电话号码?|电话|座机|固话|身份证号码?|身份证|银行卡号?|卡号|邮箱|邮件|订单编号|订单号|订单|运单号|快递单号|单号|微信号?|QQ号?|QQ|"
    "账号|帐号|地址|收货地址|姓名|名字|人名|用户名|车牌号?|护照号?|网址|链接|IP地址|IP|数字|号码|金额|时间|日期|站点|组织机构|ID|"
    "PHONE|TEL|MOBILE|NAME|ADDRESS|EMAIL|ORDER|NUMBER|NUM|URL|LINK|CARD|USER"
)
_PLACEHOLDER = re.compile(rf"[〔\[【<{{#](?:{_LABELS})[xX*]?(?:ID)?(?:_\d{{1,12}})?[〕\]】>}}#]")
_OF_PHONE = re.compile("手机|电话|号码")
_NUMERALS = str.maketrans("零〇○一壹二贰貳三叁參四肆五伍六陆陸七柒八捌九玖幺", "0001122233344556667788991")
_HYPHENS = frozenset("－﹣−‐‑‒–—―﹘ー")
_MARKS = dict(zip("＋．＠＿：／（）＃•・", "+.@_:/()#··", strict=True))


@dataclass(frozen=True, slots=True)
class Masked:
    """A text without personal data, and how many items of each kind were taken out."""

    text: str
    counts: Mapping[str, int]


class _Span(NamedTuple):
    kind: str
    start: int
    end: int


def mask(text: str) -> str:
    """``text`` with each item of personal data replaced by ``〔kind〕``; idempotent.

    Text that was masked before, such as [手机号], stays as it is.
    """
    return mask_counted(text).text


def mask_counted(text: str) -> Masked:
    """Like ``mask``, with the number of items by kind."""
    counts: Counter[str] = Counter()
    # a placeholder may free what stood beside an item (a number without its neighbour), so look until nothing is found
    while spans := _find(text):
        counts.update(span.kind for span in spans)
        text = _replaced(text, spans)
    return Masked(text, MappingProxyType(dict(counts)))


def _replaced(text: str, spans: list[_Span]) -> str:
    pieces, end = [], 0
    for span in spans:
        pieces += [text[end : span.start], f"{OPEN}{span.kind}{CLOSE}"]
        end = span.end
    return "".join((*pieces, text[end:]))


def _find(text: str) -> list[_Span]:
    """Items of personal data in order, never overlapping and never inside a placeholder."""
    page = _Page(text)
    for rule in page.rules():
        for start, end in page.matches(rule):
            page.claim(rule.kind, start, end)
    for start, end in find_addresses(page.folded):
        page.claim("地址", start, end)
    for start, end in find_names(page.folded):
        page.claim("姓名", start, end)
    return sorted(page.spans, key=lambda span: span.start)


class _Page:
    """A text in its two folded forms; what has been claimed is walled off in both."""

    def __init__(self, text: str) -> None:
        pairs = [(char, place) for place, original in enumerate(text) if (char := _fold(original))]
        self.spans: list[_Span] = []
        self.folded = "".join(char for char, _ in pairs)
        self._places = [place for _, place in pairs]
        for match in _PLACEHOLDER.finditer(self.folded):
            self._wall(match.start(), match.end(), PHONE_WALL if _OF_PHONE.search(match.group()) else WALL)

    def rules(self) -> Iterable[Rule]:
        """Those that can hold here: most messages have hardly a digit."""
        digits = sum(map(str.isdigit, self.folded.translate(_NUMERALS)))
        return RULES if digits >= FEWEST_DIGITS else (rule for rule in RULES if rule.kind in WITHOUT_DIGITS)

    def matches(self, rule: Rule) -> Iterator[tuple[int, int]]:
        """Where ``rule`` holds: as written, then with Chinese numerals as digits."""
        yield from self._search(rule, self.folded)
        if rule.numerals:
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
        self.spans.append(_Span(kind, self._places[start], self._places[end - 1] + 1))
        self._wall(start, end, PHONE_WALL if kind == "手机号" else WALL)

    def _wall(self, start: int, end: int, wall: str) -> None:
        self.folded = self.folded[:start] + wall * (end - start) + self.folded[end:]


@lru_cache(maxsize=4096)
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

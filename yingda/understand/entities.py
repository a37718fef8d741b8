"""Facts a message states, found by pattern; what is returned is masked."""

from __future__ import annotations

import re
from collections.abc import Iterator

from yingda.domain.decision import Entity
from yingda.text.masking import CLOSE, OPEN, find_items
from yingda.understand.named import NamedFacts
from yingda.understand.times import find_times

_SAY = r"[\s:：是为]{0,3}"
_ORG = (
    r"(?:(?![的了吗呢么哪啥我你您他她税稅])[\u3400-\u9fffA-Za-z0-9()（）·&-]){2,30}?"
    r"(?:有限责任公司|有限公司|股份公司|集团|集團|事务所|合作社|工作室|商行|经营部|研究院|研究所|委员会|大学|学院|医院|中学|小学|幼儿园)"
)
_CODE = r"(?<![A-Za-z0-9])(?=[A-Za-z]{0,6}\d)[0-9A-Za-z]{15,20}(?![A-Za-z0-9])"
_TAX = rf"(?:税号|稅號|纳税人识别号|統一社會信用代碼|统一社会信用代码|信用代码){_SAY}{_CODE}"
_BEHIND = rf"(?:[\s,，;；、]{{0,3}}(?:{_TAX}|{_CODE}))?"
_ASKED = r"(?!.{0,6}(?:什么|啥|哪|怎么|怎样|咋|吗|么|如何))"
_TITLE = r"(?:抬头|抬頭|公司名称|公司全称|单位名称|单位全称|企业名称|购方名称)"

_PICTURE = r"(?:图片|照片|截图|相片|(?<![地试意企拼构版绘心])图)"
_SENT = r"(?:上传|发送|发|传)"
_TO = r"(?:过去|过来|上去|上来|给你们|给您|给你|你们|你|您)?"
_PHOTO = (
    r"[\[［【<](?:图片|照片|截图|图|image|photo|picture|img)[\]］】>]",
    rf"{_PICTURE}(?:都|我|也|刚|刚刚|已经|已){{0,3}}{_SENT}{_TO}了(?![吗没么嘛])",
    rf"{_PICTURE}(?:都|我){{0,2}}(?:已经|已){_SENT}(?![不货错失])",
    rf"(?<![没未])已经?{_SENT}了?{_PICTURE}",
    r"(?:见|如|附)(?:下)?图(?![书纸])",
    r"\b(?:photos?|pictures?|screenshots?) (?:is |are )?attached\b|\bsee (?:the )?attached (?:photos?|pictures?|screenshots?)\b",
)

_ENGLISH_ORDER = (
    r"(?<![A-Za-z])order(?:(?: ?(?:number|num|no\b\.?|id)|\s?#)\s?(?:is|was|[:：#])?\s?#?\s?(?=[A-Z]{0,4}-?\d{4})|\s(?=[A-Z]{0,4}-?\d{6}))"
)

_TITLED = re.compile("抬|名称|全称")
_NUMBERED = re.compile(r"\d")
_PICTURED = re.compile("[图照相]|image|photo|picture|screenshot|img", re.IGNORECASE)
_MASKED = re.compile(OPEN)

# order matters: the first pattern that claims a stretch of text keeps it; what has no type is claimed and not told. Before some
# patterns stands what must be somewhere for any of them to hold: it is looked for first, for it costs less
_CUED = (
    (_TITLED, (("invoice_title", re.compile(rf"{_TITLE}[\s是为写开填]{{0,3}}[\s:：]{{0,2}}(?P<value>{_ORG}{_BEHIND})")),)),
    (_NUMBERED, (("invoice_title", re.compile(rf"(?<![\u3400-\u9fff])(?P<value>{_ORG}[\s,，;；、]{{0,3}}(?:{_TAX}|{_CODE}))")),)),
    (
        _TITLED,
        (
            ("invoice_title", re.compile(rf"抬[头頭]\s?[:：]\s?{_ASKED}(?P<value>[^\s,，。;；!！?？〔]{{2,40}}{_BEHIND})")),
            ("invoice_title", re.compile(r"抬[头頭][\s是为写开填给]{0,3}(?P<value>个人)(?=就行|就好|即可|吧|$|[\s,，。.!！])")),
        ),
    ),
    (
        _NUMBERED,
        (
            ("", re.compile(_TAX)),
            ("phone", re.compile(r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)")),
            ("tracking_no", re.compile(r"(?<![A-Za-z0-9])(?:SF|JD|YT|ZTO|STO|YD|EMS|DB|JT)[A-Z]{0,3}\d{9,18}(?!\d)", re.IGNORECASE)),
            ("order_no", re.compile(r"(?<![A-Za-z0-9])(?:DD|NO|ORD)[-#:]?\d{4,20}(?!\d)|(?<!\d)\d{14,20}(?!\d)", re.IGNORECASE)),
            ("order_no", re.compile(r"(?<=订单号)[:：是为\s]*[A-Za-z]{0,4}\d{4,20}(?!\d)")),
            ("order_no", re.compile(rf"{_ENGLISH_ORDER}(?P<value>[A-Z]{{0,4}}-?\d{{4,20}})(?![\dA-Za-z])", re.IGNORECASE)),
            ("amount", re.compile(r"(?<![\d.])\d{1,7}(?:\.\d{1,2})?\s?(?:元|块钱|块)(?!\w?[零售])|[¥￥]\s?\d{1,7}(?:\.\d{1,2})?")),
        ),
    ),
    (_PICTURED, (("photo", re.compile("|".join(_PHOTO), re.IGNORECASE)),)),
    (_MASKED, (("address", re.compile(rf"{OPEN}地址{CLOSE}")),)),
)
_ADDRESS = "地址"
"""The kind that masking calls an address."""

_PLACED = re.compile("[省市区區县縣镇鎮乡鄉村路街巷弄号號栋棟幢室楼樓苑园園]")
"""Characters without which no address is looked for."""

_SHOWN = 4
_WHOLE = frozenset({"amount", "photo", "time"})
_HIDDEN = frozenset({"address", "invoice_title"})


def find_entities(text: str, named: NamedFacts | None = None) -> tuple[Entity, ...]:
    """Entities of the original ``text`` in order of appearance, never overlapping; ``named`` are facts the shop has names for."""
    taken = bytearray(len(text))
    found = []
    for type_, shown, *bounds in _claims(text, named):
        start, end = _trimmed(text, *bounds)
        if start < end and not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            if type_:
                found.append(Entity(type_, shown or _shown(type_, text[start:end]), start, end))
    return tuple(sorted(found, key=lambda entity: entity.start))


def _claims(text: str, named: NamedFacts | None) -> Iterator[tuple[str, str, int, int]]:
    """Type, what is shown where that is no part of the text, and bounds of what is found, in the order of the patterns.

    Addresses come as masking finds them; times and names last, for a number may be part of all else first.
    """
    for cue, patterns in _CUED:
        if cue.search(text):
            for type_, pattern in patterns:
                for match in pattern.finditer(text):
                    yield type_, "", *match.span("value" if "value" in pattern.groupindex else 0)
    if _PLACED.search(text):
        yield from (("address", "", item.start, item.end) for item in find_items(text) if item.kind == _ADDRESS)
    yield from (("time" if happened else "", "", start, end) for happened, start, end in find_times(text))
    if named is not None:
        yield from ((each.fact, each.value, each.start, each.end) for each in named.find(text))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in ":：是为 \t\n":
        start += 1
    return start, end


def _shown(type_: str, value: str) -> str:
    """Amounts, times and what says that a picture came as they are; identifiers with their middle hidden; where and who not at all."""
    if type_ in _WHOLE:
        return value
    if type_ in _HIDDEN:
        return "***"
    letters = re.match(r"[A-Za-z]*", value)
    prefix = letters.group(0) if letters else ""
    shown = min(_SHOWN, (len(value) - len(prefix)) // 2)
    return f"{prefix}***{value[len(value) - shown :]}"

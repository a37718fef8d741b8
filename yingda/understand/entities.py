"""Facts a message states, found by pattern; what is returned is masked."""

from __future__ import annotations

import re

from yingda.domain.decision import Entity

# order matters: the first pattern that claims a stretch of text keeps it
_PATTERNS = (
    ("phone", re.compile(r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)")),
    ("tracking_no", re.compile(r"(?<![A-Za-z0-9])(?:SF|JD|YT|ZTO|STO|YD|EMS|DB|JT)[A-Z]{0,3}\d{9,18}(?!\d)", re.IGNORECASE)),
    ("order_no", re.compile(r"(?<![A-Za-z0-9])(?:DD|NO|ORD)[-#:]?\d{4,20}(?!\d)|(?<!\d)\d{14,20}(?!\d)", re.IGNORECASE)),
    ("order_no", re.compile(r"(?<=订单号)[:：是为\s]*[A-Za-z]{0,4}\d{4,20}(?!\d)")),
    ("amount", re.compile(r"(?<![\d.])\d{1,7}(?:\.\d{1,2})?\s?(?:元|块钱|块)(?!\w?[零售])|[¥￥]\s?\d{1,7}(?:\.\d{1,2})?")),
)
_SHOWN = 4


def find_entities(text: str) -> tuple[Entity, ...]:
    """Entities of the original ``text`` in order of appearance, never overlapping."""
    taken: list[tuple[int, int]] = []
    found = []
    for type_, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            start, end = _trimmed(text, match.start(), match.end())
            if all(end <= a or start >= b for a, b in taken):
                taken.append((start, end))
                found.append(Entity(type_, _shown(type_, text[start:end]), start, end))
    return tuple(sorted(found, key=lambda entity: entity.start))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in ":：是为 \t\n":
        start += 1
    return start, end


def _shown(type_: str, value: str) -> str:
    """Amounts as they are; identifiers with their middle hidden."""
    if type_ == "amount":
        return value
    letters = re.match(r"[A-Za-z]*", value)
    prefix = letters.group(0) if letters else ""
    shown = min(_SHOWN, (len(value) - len(prefix)) // 2)
    return f"{prefix}***{value[len(value) - shown :]}"

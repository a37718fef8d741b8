"""The Markdown that examinations write, as HTML: headings, tables, lists, code and paragraphs; nothing else is understood."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from markupsafe import Markup, escape

_RULE = re.compile(r"\|?\s*:?-{3,}:?\s*(\|\s*:?-{3,}:?\s*)*\|?")
_ITEM = re.compile(r"\s*(?:[-*]|\d+\.)\s+(.*)")
_HEADING = re.compile(r"#{1,6}\s+(.*)")
_INLINE = re.compile(r"``?([^`]+)``?|\*\*([^*]+)\*\*")
_BAR = re.compile(r"(?<!\\)\|")
_NUMBER = re.compile(r"[-+–]|[-+]?\d[\d,.]*\s*(%|ms)?(\s*\[.*\])?(, n \d+)?")


def to_markup(lines: Sequence[str]) -> Markup:
    """``lines`` as HTML; every text is escaped, and what is not understood stays text."""
    parts = (_block(kind, list(block)) for kind, block in groupby("\n".join(lines).split("\n"), key=_kind))
    return Markup("\n").join(part for part in parts if part)


def inline(text: str) -> Markup:
    """``text`` escaped, with its code and its bold words."""
    return Markup("").join(_spans(text))


def _kind(line: str) -> str:
    if not line.strip():
        return "gap"
    if line.startswith("|"):
        return "table"
    if _HEADING.fullmatch(line):
        return "heading"
    return "list" if _ITEM.fullmatch(line) else "text"


def _block(kind: str, block: Sequence[str]) -> Markup:
    if kind == "table":
        return _table([_cells(line) for line in block if not _RULE.fullmatch(line.strip())])
    if kind == "heading":
        return Markup("").join(Markup("<h4>{}</h4>").format(inline(_HEADING.sub(r"\1", line))) for line in block)
    if kind == "list":
        return Markup("<ul>{}</ul>").format(Markup("").join(_item(line) for line in block))
    return Markup("<p>{}</p>").format(inline(" ".join(line.strip() for line in block))) if kind == "text" else Markup("")


def _item(line: str) -> Markup:
    return Markup("<li>{}</li>").format(inline(_ITEM.sub(r"\1", line)))


def _table(rows: Sequence[Sequence[str]]) -> Markup:
    if not rows:
        return Markup("")
    titles, *body = rows
    head = Markup("").join(Markup("<th>{}</th>").format(inline(title)) for title in titles)
    lines = Markup("").join(Markup("<tr>{}</tr>").format(Markup("").join(_data(cell) for cell in row)) for row in body)
    return Markup('<div class="scroll"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>').format(head, lines)


def _data(cell: str) -> Markup:
    tag = '<td class="n">{}</td>' if _NUMBER.fullmatch(cell) else "<td>{}</td>"
    return Markup(tag).format(inline(cell))


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    return [cell.strip().replace("\\|", "|") for cell in _BAR.split(inner.removesuffix("|"))]


def _spans(text: str) -> Iterator[Markup]:
    end = 0
    for found in _INLINE.finditer(text):
        code, bold = found.groups()
        yield escape(text[end : found.start()])
        yield Markup('<span class="code">{}</span>').format(code) if code else Markup("<b>{}</b>").format(bold)
        end = found.end()
    yield escape(text[end:])

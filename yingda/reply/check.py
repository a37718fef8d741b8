"""What a template may hold: plain text and ``{变量}`` of an allow-list. Everything else is refused with its reason."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

MAX_CHARACTERS = 2000
"""Longest text of a template or an answer."""
MAX_VARIABLES = 20
"""Most variables in one text, counted with repetition."""

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z\u3400-\u9fff][A-Za-z0-9\u3400-\u9fff]{0,30}")
_JOINERS = frozenset("\u200c\u200d")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BLANK = frozenset("\u200b\u2060\u2061\u2062\u2063\u2064\ufeff\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0")
_TAG = re.compile(r"<\s{0,3}[/!?]?\s{0,3}[A-Za-z]|<!--")
_SCRIPT = re.compile(r"(?:javascript|vbscript|data\s?:\s?text/html)\s?[:;,]", re.IGNORECASE)
_FORBIDDEN = (
    (re.compile(r"[$#]\{|\$\(|<%|%>|\{%|%\}|\{#|#\}"), "code of another template language is not allowed; write variables as {名称}"),
    (re.compile(r"%\("), "'%(' is a format of another template language; write variables as {名称}"),
    (_TAG, "HTML and script tags are not allowed; write plain text"),
    (re.compile(r"&(?:#\w{1,8}|lt|gt|amp|quot|apos|nbsp);", re.IGNORECASE), "HTML entities are not allowed; write the character itself"),
    (_SCRIPT, "a script address is not allowed; remove it"),
    (re.compile(r"[｛｝]"), "full-width braces never become a variable; write {名称} with half-width ones"),
)


def check_template(text: str, allowed: Collection[str] | None) -> list[str]:
    """Every reason to refuse ``text``, each with its remedy; empty when it may be saved.

    ``allowed`` are the variables it may use; None leaves their names unchecked. Takes time linear in the length, which is
    bounded first.
    """
    if len(text) > MAX_CHARACTERS:
        return [f"the text has {len(text):,} characters; write at most {MAX_CHARACTERS:,}"]
    reasons = [*_invisible(text), *(reason for pattern, reason in _FORBIDDEN if pattern.search(text))]
    names = _VARIABLE.findall(text)
    reasons += [reason for name in dict.fromkeys(names) if (reason := _of_name(name, allowed))]
    if len(names) > MAX_VARIABLES:
        reasons.append(f"the text uses {len(names)} variables; use at most {MAX_VARIABLES}")
    rest = _VARIABLE.sub("", text)
    if "{" in rest or "}" in rest:
        reasons.append("braces are not balanced; write each variable as {名称}")
    return reasons


def is_plain(value: str) -> bool:
    """True for a text that holds no brace, no markup and nothing invisible: safe to put in the place of a variable."""
    return "{" not in value and "}" not in value and not _invisible(value) and not _TAG.search(value) and not _SCRIPT.search(value)


def _of_name(name: str, allowed: Collection[str] | None) -> str | None:
    if allowed is not None and name in allowed:
        return None
    if not name.strip():
        return "'{}' names no variable; write its name between the braces"
    shown = "".join(char if char.isprintable() else "�" for char in name[:32])
    if not _NAME.fullmatch(name):
        return f"'{{{shown}}}' is no variable name; only {{名称}} is replaced, and nothing in a template is ever executed"
    return None if allowed is None else f"unknown variable '{{{shown}}}'; correct it or add it to policy.yaml"


def _invisible(text: str) -> list[str]:
    """Reasons for characters that nobody sees, and that may make a text read otherwise than it looks."""
    kinds = {kind for place, char in enumerate(text) if not char.isascii() or char < " " or char == "\x7f" if (kind := _kind(text, place))}
    remedies = {
        "control": "the text holds a control character; remove it",
        "bidi": "the text holds a character that turns the writing direction; remove it",
        "blank": "the text holds an invisible (zero-width) character; remove it",
        "unassigned": "the text holds a character that is not valid text (surrogate, private use or unassigned); remove it",
    }
    return [remedy for kind, remedy in remedies.items() if kind in kinds]


def _kind(text: str, place: int) -> str | None:
    char = text[place]
    if char in _BIDI:
        return "bidi"
    if char in _JOINERS:
        return None if _joins(text, place) else "blank"
    if char in _BLANK:
        return "blank"
    category = unicodedata.category(char)
    if category == "Cc" or char in "\u2028\u2029":
        return None if char == "\n" else "control"
    if category == "Cf":
        return "blank"
    return "unassigned" if category in ("Cs", "Co", "Cn") else None


def _joins(text: str, place: int) -> bool:
    """True where a joiner is part of the spelling: inside an emoji, or in scripts from Hebrew to Khmer that need it."""
    around = (text[place - 1] if place else "", text[place + 1] if place + 1 < len(text) else "")
    return all(
        "\u0590" <= char <= "\u17ff" or (char >= "\u2600" and unicodedata.category(char) in ("So", "Sk", "Mn")) for char in around if char
    ) and all(around)

"""What any record must be, whatever its kind: plain JSON of modest size, without characters that nobody sees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, Self

from yingda.domain.records import KnowledgeSnapshot, Payload, RecordId, RecordKind


class Among(Protocol):
    """The records of one shop at one time, as a judge of records sees them."""

    def check(self, id_: RecordId, payload: Payload) -> list[str]:
        """What is wrong with a payload that stands here as ``id_``, each as ``field: what to do``; empty when nothing is."""

    def warnings(self, id_: RecordId, payload: Payload) -> list[str]:
        """What is odd about a payload that may be saved."""

    def broken_since(self, before: Self) -> list[str]:
        """What no longer works, that did ``before``."""


Syntax = Callable[[RecordId, Payload], list[str]]
"""What is wrong with a payload whatever the shop holds, each as ``field: what to do``; cheap, for it comes before all else."""

Judge = Callable[[KnowledgeSnapshot], Among]
"""A snapshot as a judge of records; it may lack the entries where only the names of the shop matter."""

MAX_DEPTH = 24
"""Decision tables nest deepest, at about ten; beyond this nobody wrote the payload by hand."""
MAX_CHARACTERS = 262_144
"""All names and texts of a payload together: the size of a request's body (256 KiB)."""
MAX_VALUES = 20_000
"""Values of one payload; a decision table of 500 rows and 20 columns has half as many."""
MAX_DIGITS = 15
"""Whole digits of a number that every JSON reader keeps (RFC 8259, section 6: IEEE 754 doubles)."""

_UNSEEN_HERE = "holds an invisible or control character; remove it"
_PLAIN = (str, int, float, bool, type(None))
_HOLDS = (Mapping, list, tuple)
_Place = tuple[object, Any, int, Any]
"""A name or number, the value it names, its depth, and the place that holds it (None for the payload)."""

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_LONGEST_KEY = 64
# controls but tab and line feed; soft hyphen; zero width, direction and join marks (but the joiner of emoji); lone surrogates
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffc\ud800-\udfff]"
)


def mistakes_of_key(id_: RecordId) -> list[str]:
    """What is wrong with a record's id."""
    if id_.kind is RecordKind.FAQ:
        return [] if _SLUG.fullmatch(id_.key) else ["id: must be 1 to 64 of a-z, 0-9, hyphen and underscore; rename it"]
    key = id_.key
    seen = key.strip() == key and key.isprintable() and 1 <= len(key) <= _LONGEST_KEY and "/" not in key and key not in (".", "..")
    return [] if seen else [f"id: must be 1 to {_LONGEST_KEY} visible characters and no slash; rename it"]


def mistakes_of_shape(payload: Any) -> list[str]:
    """What keeps ``payload`` from being stored at all; the walk is bounded, whatever it is given."""
    if not isinstance(payload, Mapping):
        return ["payload: must be a mapping of fields; write {…}"]
    found: dict[str, None] = {}
    good_names: set[str] = set()  # the same few come again and again
    characters = values = 0
    waiting: list[_Place] = [("", payload, 1, None)]
    while waiting and values + len(waiting) <= MAX_VALUES and characters <= MAX_CHARACTERS:
        place = waiting.pop()
        _, value, depth, _ = place
        values += 1
        characters += len(value) if isinstance(value, str) else 0
        mistake = _mistake_of(value, depth, good_names)
        if mistake:
            found[f"{_path(place) or 'payload'}: {mistake}"] = None
            continue
        if type(value) in _PLAIN:
            continue
        if isinstance(value, _HOLDS) and values + len(waiting) + len(value) > MAX_VALUES:
            values = MAX_VALUES + 1
        else:
            waiting += [(name, item, depth + 1, place) for name, item in _items(value)]
            characters += sum(map(len, value)) if isinstance(value, Mapping) else 0
    if values + len(waiting) > MAX_VALUES or characters > MAX_CHARACTERS:
        return [f"payload: larger than {MAX_CHARACTERS:,} characters or {MAX_VALUES:,} values; split or shorten it"]
    return list(found)


def _items(value: Any) -> Iterable[tuple[object, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else ()


def _path(place: _Place) -> str:
    """Where a value stands, the last 80 characters of it."""
    names: list[str] = []
    at: Any = place
    while at[3] is not None:
        names.append(str(at[0]))
        at = at[3]
    return ".".join(reversed(names))[-80:].lstrip(".")


def _mistake_of(value: Any, depth: int, good_names: set[str]) -> str | None:
    if depth > MAX_DEPTH:
        return f"nested deeper than {MAX_DEPTH} levels; flatten it"
    if type(value) is dict and good_names.issuperset(value):
        return None  # most values are texts and rows of a table; `match` asks each abstract type first
    if type(value) is str:
        return _UNSEEN_HERE if _UNSEEN.search(value) else None
    match value:
        case None | bool():
            return None
        case str():
            return _UNSEEN_HERE if _UNSEEN.search(value) else None
        case int() | float():
            finite = abs(value) < 10**MAX_DIGITS  # false for NaN too
            return None if finite else f"must be a finite number of at most {MAX_DIGITS} digits; correct it or write it as text"
        case list() | tuple():
            return None
        case Mapping():
            return _mistake_of_names(value, good_names)
    return f"holds a {type(value).__name__}, which JSON has not; write a text"


def _mistake_of_names(fields: Mapping[Any, Any], good_names: set[str]) -> str | None:
    if not all(isinstance(name, str) for name in fields):
        return "has a field whose name is not a text; put the name in quotes"
    if any(_UNSEEN.search(name) or not name.strip() or len(name) > _LONGEST_KEY for name in fields):
        return f"has a field whose name is blank, invisible or longer than {_LONGEST_KEY} characters; rename it"
    good_names.update(fields)
    return None

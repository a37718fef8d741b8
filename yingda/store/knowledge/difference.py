"""What changed between two payloads, field by field, for a person to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from yingda.domain.records import Payload

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One field before and after; ``field`` is its path (``answer.zh``), None stands for a field that is not there."""

    field: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"+ {self.field}: {self.after}"
        if self.after is None:
            return f"- {self.field}: {self.before}"
        return f"~ {self.field}: {self.before} → {self.after}"


def difference(before: Payload, after: Payload) -> tuple[Change, ...]:
    """Every field that differs, in order of its path; of a list of texts, each text that came or went."""
    return tuple(_changes("", before, after))


def _changes(path: str, before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            yield from _changes(f"{path}.{name}" if path else str(name), before.get(name, _ABSENT), after.get(name, _ABSENT))
    elif _texts(before) and _texts(after) and set(before) != set(after):
        yield from (Change(path, text, None) for text in before if text not in after)
        yield from (Change(path, None, text) for text in after if text not in before)
    elif type(before) is not type(after) or before != after:
        yield Change(path, _shown(before), _shown(after))


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _shown(value: Any) -> str | None:
    if value is _ABSENT:
        return None
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_shown(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return " | ".join(str(_shown(item)) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)

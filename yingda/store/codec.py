"""Frozen dataclasses to JSON and back, by their type hints; what a newer version added is left out, what is absent has its default."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from yingda.domain.conversation import ConversationState
from yingda.domain.errors import StoreError
from yingda.store.base import JsonText, dump_json

T = TypeVar("T")

_PLAIN = frozenset((str, int, float, bool))


def encode_state(state: ConversationState) -> dict[str, Any]:
    """``state`` as JSON values."""
    encoded: dict[str, Any] = encode(state)
    return encoded


def decode_state(stored: Mapping[str, Any]) -> ConversationState:
    """The state written as ``stored``; raises StoreError where it makes no sense to this version."""
    return decode(ConversationState, stored)


def encode(value: Any) -> Any:
    """``value`` as JSON values: dataclasses as objects, tuples as lists, times as RFC 3339, enums by value."""
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {name: encode(getattr(value, name)) for name in _names(value.__class__)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value


def decode(kind: type[T], stored: Any) -> T:
    """A ``kind`` from what ``encode`` made of one, perhaps in another version; raises StoreError when it cannot be read."""
    hint: Any = kind
    try:
        decoded: T = _decoder(hint)(stored)
    except (TypeError, ValueError):
        name = getattr(kind, "__name__", str(kind))
        raise StoreError(f"a stored {name} cannot be read; was it written by a newer version?", code="store_too_new") from None
    return decoded


class JsonObject(dict[str, Any]):
    """A JSON object that was written already: ``text`` is all of it, as ``dump_json`` might have written it."""

    __slots__ = ("text",)

    def __init__(self, value: Mapping[str, Any], text: str) -> None:
        super().__init__(value)
        self.text = JsonText(text)


def read_json(text: str) -> dict[str, Any]:
    """What ``as_json`` made ``text`` of, as it comes back from the store."""
    decoded: dict[str, Any] = json.loads(text)
    return decoded


def through_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """``value`` as it comes back from the store; raises StoreError for what is no JSON."""
    return read_json(as_json(value))


def as_json(value: Mapping[str, Any]) -> JsonText:
    """``value`` as the JSON that a column takes; raises StoreError for what is none."""
    if type(value) is JsonObject:
        return value.text
    try:
        return dump_json(value)
    except (TypeError, ValueError):
        raise StoreError("what is to be stored is no JSON; use strings, finite numbers, lists and objects", code="store_refused") from None


@lru_cache(maxsize=64)
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@lru_cache(maxsize=256)
def _decoder(hint: Any) -> Callable[[Any], Any]:
    """How to read a value of that type; the reader raises TypeError or ValueError."""
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = (_decoder(arg) for arg in get_args(hint) if arg is not type(None))
        return lambda value: None if value is None else inner(value)
    if isinstance(hint, NewType):
        return _decoder(hint.__supertype__)
    if get_origin(hint) is Mapping:
        return lambda value: _checked(dict, value)
    if get_origin(hint) is tuple:
        return _tuple_decoder(get_args(hint)[0])
    if isinstance(hint, type) and is_dataclass(hint):
        return _dataclass_decoder(hint)
    if hint is datetime:
        return datetime.fromisoformat
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    return lambda value: _checked(hint, value)


def _tuple_decoder(item: Any) -> Callable[[Any], Any]:
    """A list of a newer version's enum is read without the members this one has not.

    A reason of tomorrow says nothing to today's rules, and the hand-off it stands in must not be lost with it.
    """
    members = {member.value: member for member in item} if isinstance(item, type) and issubclass(item, Enum) else None
    read = _decoder(item)

    def read_all(stored: Any) -> Any:
        values = _checked(list, stored)
        return tuple(members[value] for value in values if value in members) if members is not None else tuple(map(read, values))

    return read_all


def _dataclass_decoder(kind: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)
    readers = {field.name: _decoder(hints[field.name]) for field in fields(kind)}

    def read(stored: Any) -> Any:
        given = _checked(dict, stored)
        return kind(**{name: reader(given[name]) for name, reader in readers.items() if name in given})

    return read


def _checked(kind: type, value: Any) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError
    return value

"""YAML and JSON Lines files as trees of nodes that know their line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from yingda.pack.mistakes import MistakeLog, Place

MAX_DEPTH = 12
"""Deepest nesting a file may have; packs need five, and the parser's recursion stays far from its end."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times faster, where it was built
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Kind(StrEnum):
    """What a node holds."""

    TEXT = "text"
    NUMBER = "a number"
    FLAG = "true or false"
    NULL = "nothing"
    LIST = "a list"
    MAPPING = "a mapping"


@dataclass(slots=True)
class Node:
    """A value of a pack file: ``text`` of a scalar as written, ``items`` of a list, ``fields`` of a mapping.

    ``place`` is the line of the value itself, or of its field name where it has one.
    """

    kind: Kind
    place: Place
    text: str = ""
    items: tuple[Node, ...] = ()
    fields: Mapping[str, Node] = field(default_factory=dict)


class _Pairs(NamedTuple):
    """A JSON object before its names are known to be unique."""

    pairs: list[tuple[str, object]]


_YAML_KINDS = {"str": Kind.TEXT, "bool": Kind.FLAG, "null": Kind.NULL, "int": Kind.NUMBER, "float": Kind.NUMBER}


def read_yaml(root: Path, name: str, log: MistakeLog) -> Node | None:
    """The file as a tree, or None with its mistakes noted; aliases and deep nesting are refused."""
    text = _read_text(root, name, log)
    if text is None:
        return None
    try:
        if not _is_plain(text, name, log):
            return None
        tree = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        log.refuse(*_yaml_mistake(error, name))
        return None
    if tree is None:
        log.refuse(Place(name, 1), "the file is empty; fill it or take it from another pack")
        return None
    return _from_yaml(tree, Place(name, _line(tree.start_mark)), log)


def read_json_lines(root: Path, name: str, log: MistakeLog) -> list[Node]:
    """One tree a line; blank lines are passed over, bad ones noted."""
    text = _read_text(root, name, log)
    lines = enumerate((text or "").split("\n"), start=1)  # splitlines() would also cut at U+2028 inside a text
    trees = [_parse_json(line, Place(name, number), log) for number, line in lines if line.strip()]
    return [tree for tree in trees if tree is not None]


def _read_text(root: Path, name: str, log: MistakeLog) -> str | None:
    try:
        data = (root / name).read_bytes()
    except FileNotFoundError:
        log.refuse(Place(name, 1), "the file is missing; every pack needs it (see data/README.md)")
        return None
    except OSError as error:
        log.refuse(Place(name, 1), f"the file cannot be read ({error.strerror}); check its type and permissions")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        log.refuse(Place(name, line), "the line is not UTF-8; save the file in that encoding")
        return None


def _is_plain(text: str, name: str, log: MistakeLog) -> bool:
    """True when ``text`` holds nothing that could grow or recurse without bound."""
    control = _CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        log.refuse(Place(name, line), "the line holds a control character; remove it")
        return False
    plain, depth = True, 0
    for event in yaml.parse(text, Loader=_Loader):
        place = Place(name, _line(event.start_mark))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            log.refuse(place, f"nested deeper than {MAX_DEPTH} levels; flatten it")
            return False
        if isinstance(event, yaml.AliasEvent):
            log.refuse(place, f"alias '*{event.anchor}' is not allowed; write the value out")
            plain = False
    return plain


def _line(mark: Any) -> int:
    return int(mark.line) + 1 if mark else 1


def _yaml_mistake(error: yaml.YAMLError, name: str) -> tuple[Place, str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
    return Place(name, _line(mark)), f"not valid YAML ({problem}); check indentation and quotes"


def _from_yaml(tree: yaml.Node, place: Place, log: MistakeLog) -> Node:
    if isinstance(tree, yaml.MappingNode):
        pairs = ((key, Place(place.file, _line(key.start_mark)), value) for key, value in tree.value)
        fields = ((_name(key), _from_yaml(value, line, log)) for key, line, value in pairs)
        return Node(Kind.MAPPING, place, fields=_unique(fields, log))
    if isinstance(tree, yaml.SequenceNode):
        items = (_from_yaml(item, Place(place.file, _line(item.start_mark)), log) for item in tree.value)
        return Node(Kind.LIST, place, items=tuple(items))
    # dates and other tags are read as the text they are written in
    return Node(_YAML_KINDS.get(tree.tag.rpartition(":")[2], Kind.TEXT), place, text=str(tree.value))


def _name(key: yaml.Node) -> str:
    return str(key.value) if isinstance(key, yaml.ScalarNode) else "[…]"


def _parse_json(line: str, place: Place, log: MistakeLog) -> Node | None:
    try:
        return _from_json(json.loads(line, object_pairs_hook=_Pairs), place, log)
    except json.JSONDecodeError as error:
        log.add(place, f"not valid JSON ({error.msg} at column {error.colno}); write one object a line")
    except ValueError:
        log.add(place, "a number has too many digits; shorten it or put it in quotes")
    except RecursionError:
        log.add(place, f"nested deeper than {MAX_DEPTH} levels; flatten it")
    return None


def _from_json(value: object, place: Place, log: MistakeLog) -> Node:
    match value:
        case str():
            return Node(Kind.TEXT, place, text=value)
        case None:
            return Node(Kind.NULL, place)
        case bool():
            return Node(Kind.FLAG, place, text=str(value).lower())
        case _Pairs(pairs):
            fields = ((name, _from_json(item, place, log)) for name, item in pairs)
            return Node(Kind.MAPPING, place, fields=_unique(fields, log))
        case list():
            return Node(Kind.LIST, place, items=tuple(_from_json(item, place, log) for item in value))
    return Node(Kind.NUMBER, place, text=str(value))


def _unique(fields: Iterable[tuple[str, Node]], log: MistakeLog) -> dict[str, Node]:
    unique: dict[str, Node] = {}
    for name, node in fields:
        if name in unique:
            log.add(node.place, f"field '{name}' stands twice in one record; keep one")
        unique.setdefault(name, node)
    return unique

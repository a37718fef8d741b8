"""Entries as JSON Lines and as the YAML of a pack."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from yingda.domain.errors import PackError
from yingda.domain.records import ImportRow, Payload, RejectedRow, Sheet
from yingda.pack.exchange.entries import FIELDS
from yingda.pack.mistakes import MistakeLog, Place
from yingda.pack.source import Kind, Node, _from_yaml, _is_plain, _line, _Loader, _parse_json, _yaml_mistake

_FILE = "file"
_WIDE = 2**31


def read_jsonl(data: bytes) -> Sheet:
    """One entry a line; blank lines are passed over."""
    log = MistakeLog()
    text = decode_utf8(data, log)
    numbered = enumerate((text or "").split("\n"), start=1)  # splitlines() would also cut at U+2028 inside a text
    trees = (_parse_json(line, Place(_FILE, number), log) for number, line in numbered if line.strip())
    return sheet_of([tree for tree in trees if tree is not None], log)


def read_pack_yaml(data: bytes) -> Sheet:
    """A list of entries as in a pack's ``faq-*.yaml``."""
    log = MistakeLog()
    tree = parse_yaml(data, log)
    if tree is not None and tree.kind is not Kind.LIST:
        log.add(tree.place, f"expected a list of entries, found {tree.kind}; start each entry with '- id:'")
    return sheet_of(tree.items if tree is not None else (), log)


def write_jsonl(entries: Iterable[Payload]) -> bytes:
    """One entry a line, fields in order."""
    return "".join(json.dumps(_ordered(entry), ensure_ascii=False, allow_nan=False) + "\n" for entry in entries).encode()


def write_pack_yaml(entries: Sequence[Payload]) -> bytes:
    """A file that a pack can hold as ``faq-….yaml``."""
    return dump_yaml([_ordered(entry) for entry in entries])


def dump_yaml(value: Any) -> bytes:
    """``value`` as YAML, names in the order they have, long texts in one line."""
    # the Python dumper alone writes the same bytes everywhere: the C one is not built on all machines
    return str(yaml.dump(value, Dumper=yaml.SafeDumper, allow_unicode=True, sort_keys=False, width=_WIDE)).encode()


def parse_yaml(data: bytes, log: MistakeLog) -> Node | None:
    """The tree of a YAML file, or None with its mistakes noted; aliases and deep nesting are refused."""
    text = decode_utf8(data, log)
    if text is None:
        return None
    try:
        if not _is_plain(text, _FILE, log):
            return None
        tree = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        log.refuse(*_yaml_mistake(error, _FILE))
        return None
    return None if tree is None else _from_yaml(tree, Place(_FILE, _line(tree.start_mark)), log)


def decode_utf8(data: bytes, log: MistakeLog) -> str | None:
    """The text, or None with the bad line noted."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        log.refuse(Place(_FILE, data.count(b"\n", 0, error.start) + 1), "the line is not UTF-8; save the file in that encoding")
        return None


def sheet_of(trees: Iterable[Node], log: MistakeLog) -> Sheet:
    """Each tree as a row; what was noted while reading is rejected, with its line."""
    rows = []
    for tree in trees:
        if tree.kind is Kind.MAPPING:
            payload = plain(tree)
            rows.append(ImportRow(tree.place.line, str(payload.get("id", "")), payload))
        else:
            log.add(tree.place, f"expected a mapping of fields, found {tree.kind}; write {', '.join(FIELDS)}")
    rejected = tuple(noted(log))
    lines = {one.line for one in rejected}
    return Sheet(tuple(row for row in rows if row.line not in lines), rejected)


def noted(log: MistakeLog) -> list[RejectedRow]:
    """What the log holds, as rejected rows."""
    try:
        log.raise_if_any()
    except PackError as error:
        return [RejectedRow(mistake.line, "", mistake.detail) for mistake in error.mistakes]
    return []


def json_of(text: str) -> dict[str, Any]:
    """A JSON object that was read and checked before, as plain values."""
    found: dict[str, Any] = json.loads(text.removeprefix("\ufeff"))
    return found


def plain(node: Node) -> Any:
    """The value that a tree stands for."""
    match node.kind:
        case Kind.MAPPING:
            return {name: plain(item) for name, item in node.fields.items()}
        case Kind.LIST:
            return [plain(item) for item in node.items]
        case Kind.NULL:
            return None
        case Kind.FLAG:
            return node.text.lower() in ("true", "yes", "on")
        case Kind.NUMBER:
            return _number(node.text)
    return node.text


def _number(text: str) -> int | float | str:
    try:
        return int(text) if len(text) <= 15 else text
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text  # octal, hexadecimal and base 60: kept as written, and refused where a text is asked


def _ordered(entry: Payload) -> dict[str, Any]:
    return {name: entry[name] for name in (*FIELDS, *sorted(set(entry) - set(FIELDS))) if name in entry}

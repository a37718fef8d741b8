"""A rule file in, one decision table out; a file that could do more than look values up is refused before it is run.

The file is GoRules JDM (JSON Decision Model): an input node, a decision table and an output node, joined by two edges. Size,
depth and structure are checked before any cell is read, so that a hostile file costs a few milliseconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from yingda.decide.rules.cells import brief
from yingda.domain.rules import RuleError, RuleMistake

LONGEST_FILE = 262_144
"""Characters of a rule file; as large as a request may be."""

MAX_DEPTH = 8
"""Nesting of a rule file; the visual editor writes five levels."""

MOST_VALUES = 20_000
"""Values in a rule file, counted with every list and mapping."""

MOST_ROWS = 200

MOST_WORDS = 600
"""Keywords that the rows of a file may name, each as often as it is named: what an examination costs grows with rows and words."""

MOST_TEXT = 12_000
"""Characters that the cells of a file may have, equal cells of a column counted once, those of keywords half: they are read faster."""

_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_FILE = "rule file"
_TOP = frozenset({"contentType", "nodes", "edges", "settings"})
_NODE = frozenset({"id", "type", "name", "position", "content", "description"})
_EDGE = frozenset({"id", "type", "sourceId", "targetId", "sourceHandle", "targetHandle"})
_TABLE = frozenset({"hitPolicy", "inputs", "outputs", "rules", "passThrough", "passThorough", "inputField", "outputPath", "executionMode"})
_COLUMN = frozenset({"id", "name", "field", "type", "defaultValue"})
_CONTENT_TYPE = "application/vnd.gorules.decision"
_KINDS = ("inputNode", "decisionTableNode", "outputNode")
_REFUSED = {
    "functionNode": "scripts are not allowed; write the rule as a row of the decision table",
    "expressionNode": "expressions are not allowed; write the rule as a row of the decision table",
    "switchNode": "branches are not allowed; a row of the decision table does the same",
    "decisionNode": "decisions of other files are not allowed; keep all rows in this table",
    "customNode": "custom nodes are not allowed; write the rule as a row of the decision table",
    "httpNode": "calls to other systems are not allowed; rules see the message alone",
}


@dataclass(frozen=True, slots=True)
class Heading:
    """A column of the table: its id in the file and the field it reads or sets."""

    id: str
    field: str


@dataclass(frozen=True, slots=True)
class Row:
    """One rule as written; ``cells`` by the id of the column, "" where the cell is empty."""

    number: int
    id: str
    description: str
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The decision table of a rule file; ``name`` is that of its node."""

    name: str
    inputs: tuple[Heading, ...]
    outputs: tuple[Heading, ...]
    rows: tuple[Row, ...]

    def where(self, row: Row, heading: Heading | None = None) -> str:
        """How an error names a row, or a cell of it."""
        column = f", column '{brief(heading.field)}'" if heading else ""
        return f"node '{brief(self.name)}', row {row.number} ('{brief(row.id)}'){column}"


def read_table(text: str) -> Table:
    """The table of a rule file; raises RuleError with the first thing that is wrong."""
    return table_of(_parse(text))


def table_of(tree: object) -> Table:
    """The table of a rule file that was parsed already; raises RuleError likewise."""
    _check_size(tree)
    top = _fields(tree, _FILE, _TOP)
    if top.get("contentType", _CONTENT_TYPE) != _CONTENT_TYPE:
        _refuse(_FILE, f"contentType is '{brief(top['contentType'])}'; write {_CONTENT_TYPE}")
    _check_settings(top.get("settings"))
    nodes = [_fields(node, f"node {n}", _NODE, lax=True) for n, node in enumerate(_list(top, "nodes", _FILE), 1)]
    by_kind = _by_kind(nodes)
    _check_edges([_fields(edge, f"edge {n}", _EDGE) for n, edge in enumerate(_list(top, "edges", _FILE)[:_ENOUGH], 1)], by_kind)
    return _read_content(by_kind["decisionTableNode"])


def _parse(text: str) -> object:
    if len(text) > LONGEST_FILE:
        _refuse(_FILE, f"it has {len(text):,} characters; write at most {LONGEST_FILE:,}")
    try:
        tree = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        detail = f"not valid JSON ({error.msg} at line {error.lineno}, column {error.colno}); save the file from the rule editor"
        raise RuleError([RuleMistake(_FILE, detail, line=error.lineno)]) from None
    except RecursionError:
        _refuse(_FILE, f"nested deeper than {MAX_DEPTH} levels; flatten it")
    except ValueError:  # the only one left: int() refuses thousands of digits
        _refuse(_FILE, "a number has too many digits; shorten it")
    return tree


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        _refuse(_FILE, f"field '{brief(twice)}' stands twice in one record; keep one")
    return fields


def _no_constant(name: str) -> NoReturn:
    _refuse(_FILE, f"{name} is no number of JSON; write a number")


def _check_size(tree: object) -> None:
    """Refuse a tree that is too deep or too large, and texts that are no Unicode or hold control characters."""
    level, depth, count = [tree], 0, 0
    while level:
        depth, count = depth + 1, count + len(level)
        if depth > MAX_DEPTH:
            _refuse(_FILE, f"nested deeper than {MAX_DEPTH} levels; flatten it")
        if count > MOST_VALUES:
            _refuse(_FILE, f"it holds more than {MOST_VALUES:,} values; split the table or drop rows")
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
            elif isinstance(value, str) and _UNFIT.search(value):
                _refuse(_FILE, f"text '{brief(value)}' holds a control character or a lone surrogate; remove it")
        level = below


def _check_settings(settings: object) -> None:
    """The editor writes empty schemas; a schema would be run against every message."""
    if settings in (None, {}):
        return
    validation = _fields(_fields(settings, "settings", frozenset({"validation"})).get("validation") or {}, "settings", _SCHEMAS)
    if any(validation.values()):
        _refuse("settings", "schemas are not allowed; leave inputSchema and outputSchema empty")


_ENOUGH = 3
"""Edges that are looked at: of three, one is refused."""
_SCHEMAS = frozenset({"inputSchema", "outputSchema"})


def _by_kind(nodes: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """The three nodes; any further or other one is refused."""
    found: dict[str, Mapping[str, Any]] = {}
    for node in nodes:
        kind, where = _text(node, "type", "node"), f"node '{brief(node.get('name', node.get('id', '')))}'"
        if kind not in _KINDS:
            remedy = _REFUSED.get(kind, f"use {', '.join(_KINDS)} alone")
            _refuse(where, f"kind '{brief(kind)}': {remedy}")
        _fields(node, where, _NODE)
        if kind in found:
            _refuse(where, f"a second {kind}; keep one, with all rows in it")
        found[kind] = node
        _check_node(node, where)
    for kind in _KINDS:
        if kind not in found:
            _refuse(_FILE, f"no {kind}; a rule file has one of each: {', '.join(_KINDS)}")
    if len({node["id"] for node in nodes}) < len(nodes):
        _refuse(_FILE, "two nodes have the same id; give each its own")
    return found


def _check_node(node: Mapping[str, Any], where: str) -> None:
    _text(node, "id", where)
    _text(node, "name", where, longest=200)
    place = _fields(node.get("position"), f"{where}, position", frozenset({"x", "y"}))
    if not all(isinstance(place.get(side), (int, float)) for side in ("x", "y")):
        _refuse(where, "position needs numbers x and y, for the rule editor draws each node there")
    content = node.get("content")
    if node["type"] != "decisionTableNode" and content not in (None, {}):
        schema = _fields(content, where, frozenset({"schema"}))["schema"]
        if schema not in (None, ""):
            _refuse(where, "schemas are not allowed; leave the schema empty")


def _check_edges(edges: Sequence[Mapping[str, Any]], nodes: Mapping[str, Mapping[str, Any]]) -> None:
    ids = [nodes[kind]["id"] for kind in _KINDS]
    wanted = {(ids[0], ids[1]), (ids[1], ids[2])}
    drawn = set()
    for number, edge in enumerate(edges, 1):
        pair = (_text(edge, "sourceId", f"edge {number}"), _text(edge, "targetId", f"edge {number}"))
        if pair not in wanted or pair in drawn:
            ends = f"'{brief(pair[0])}' to '{brief(pair[1])}'"
            _refuse(f"edge {number}", f"it runs from {ends}; draw input → table → output alone, without cycles")
        drawn.add(pair)
    if drawn != wanted:
        _refuse(_FILE, "an edge is missing; draw input → table → output")


def _read_content(node: Mapping[str, Any]) -> Table:
    where = f"node '{brief(node['name'])}'"
    content = _fields(node.get("content"), where, _TABLE)
    if content.get("hitPolicy", "first") != "first":
        _refuse(where, f"hit policy '{brief(content['hitPolicy'])}'; use 'first', so that a lower row never overrides a higher one")
    if content.get("executionMode") not in (None, "single"):
        _refuse(where, f"execution mode '{brief(content['executionMode'])}' loops; use 'single'")
    for name in ("passThrough", "passThorough", "inputField", "outputPath"):
        if content.get(name):
            _refuse(where, f"{name} is not allowed; leave it empty")
    rows = _list(content, "rules", where)
    if len(rows) > MOST_ROWS:
        _refuse(where, f"it has {len(rows):,} rows; write at most {MOST_ROWS}")
    if not rows:
        _refuse(where, "it has no rows; write at least one")
    inputs, outputs = (_headings(content, name, where) for name in ("inputs", "outputs"))
    ids = [heading.id for heading in (*inputs, *outputs)]
    if len(set(ids)) < len(ids):
        _refuse(where, "two columns have the same id; give each its own")
    return Table(str(node["name"]), inputs, outputs, _read_rows(rows, ids, where))


def _headings(content: Mapping[str, Any], name: str, where: str) -> tuple[Heading, ...]:
    """The columns of ``inputs`` or ``outputs``."""
    found: dict[str, Heading] = {}
    for number, raw in enumerate(_list(content, name, where), 1):
        place = f"{where}, {name[:-1]} column {number}"
        column = _fields(raw, place, _COLUMN)
        field = column.get("field") or _refuse(place, "it names no field; cells without a field would be whole expressions")
        if column.get("defaultValue"):
            _refuse(place, "a default value is not allowed; write it in the rows")
        if column.get("type") not in (None, "expression"):
            _refuse(place, f"type '{brief(column['type'])}'; use 'expression'")
        heading = Heading(_text(column, "id", place), str(field))
        if heading.field in found or heading.id.startswith("_"):
            _refuse(place, f"field '{brief(field)}' has a second column or an id that begins with '_'; give it one, with another id")
        found[heading.field] = heading
    return tuple(found.values())


def _read_rows(rows: Sequence[object], ids: Sequence[str], where: str) -> tuple[Row, ...]:
    allowed = frozenset({"_id", "_description", *ids})
    read: dict[str, Row] = {}
    for number, raw in enumerate(rows, 1):
        place = f"{where}, row {number}"
        cells = _fields(raw, place, allowed)
        id_ = _text(cells, "_id", place)
        if id_ in read:
            _refuse(place, f"id '{brief(id_)}' was given to row {read[id_].number}; give each row its own")
        for name, cell in cells.items():
            if cell is not None and not isinstance(cell, str):
                _refuse(place, f"'{brief(name)}' holds no text; write cells as texts, empty for any value")
        description = str(cells.get("_description") or "")
        if len(description) > 200:
            _refuse(place, "its description has more than 200 characters; shorten it")
        read[id_] = Row(number, id_, description, {name: cells.get(name) or "" for name in ids})
    return tuple(read.values())


def _fields(value: object, where: str, allowed: frozenset[str], *, lax: bool = False) -> Mapping[str, Any]:
    """A mapping with no fields but ``allowed`` (any, when ``lax``: its kind decides first)."""
    if not isinstance(value, dict):
        _refuse(where, "expected a mapping of fields; save the file from the rule editor")
    for name in value:
        if name not in allowed and not lax:
            _refuse(where, f"unknown field '{brief(name)}'; remove it or use one of: {', '.join(sorted(allowed)[:10])}")
    return value


def _list(fields: Mapping[str, Any], name: str, where: str) -> list[Any]:
    value = fields.get(name)
    if not isinstance(value, list):
        _refuse(where, f"field '{name}' must be a list")
    return value


def _text(fields: Mapping[str, Any], name: str, where: str, *, longest: int = 64) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        _refuse(where, f"field '{name}' must be a text of 1 to {longest} characters")
    return value


def _refuse(where: str, detail: str) -> NoReturn:
    raise RuleError([RuleMistake(where, detail)]) from None

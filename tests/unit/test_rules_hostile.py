"""Rule files that could do harm are refused when saved, before any engine sees them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.rules_kit import INPUTS, KNOWN, row, tree, written
from yingda.decide.rules import compile_rules
from yingda.decide.rules.document import LONGEST_FILE, MOST_ROWS, MOST_VALUES, read_table
from yingda.decide.rules.ruleset import MOST_MISTAKES
from yingda.domain.rules import RuleError

PLAIN = row("r", tier="'vip'", priority="'high'")


def changed(change: Callable[[dict[str, Any]], Any]) -> str:
    """A good rule file after ``change`` was made to its tree."""
    top = tree([dict(PLAIN)])
    change(top)
    return json.dumps(top)


def with_node(kind: str, content: object) -> str:
    node = {"id": "x", "type": kind, "name": "额外", "position": {"x": 1, "y": 1}, "content": content}
    return changed(lambda top: top["nodes"].append(node))


def table_of(top: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = top["nodes"][1]["content"]
    return content


def nested(levels: int) -> object:
    value: object = "x"
    for _ in range(levels):
        value = [value]
    return value


def edge(source: str, target: str) -> dict[str, str]:
    return {"id": f"{source}{target}", "type": "edge", "sourceId": source, "targetId": target}


FILES = {
    "not JSON": ("{", "not valid JSON"),
    "a list": ("[]", "expected a mapping"),
    "deep lists": ("[" * 100_000, "nested deeper"),
    "deep mappings": ('{"a":' * 40_000, "nested deeper"),
    "just too deep": (changed(lambda top: top.update(settings=nested(9))), "nested deeper"),
    "too long": (" " * LONGEST_FILE + "{}", "characters; write at most"),
    "many values": (json.dumps([0] * (MOST_VALUES + 1)), "more than"),
    "many empty lists": (json.dumps([[]] * 60_000), "more than"),
    "many rows": (written([{"_id": f"r{n}"} for n in range(MOST_ROWS + 1)]), "rows; write at most"),
    "huge number": ('{"nodes": ' + "9" * 5000 + "}", "too many digits"),
    "not a number": ('{"nodes": NaN}', "no number of JSON"),
    "lone surrogate": (changed(lambda top: top["nodes"][0].update(name="\ud800")), "lone surrogate"),
    "control character": (changed(lambda top: top["nodes"][0].update(name="a\x00b")), "control character"),
    "field twice": ('{"nodes": [], "nodes": []}', "stands twice"),
    "script": (with_node("functionNode", "while(true){}"), "scripts are not allowed"),
    "script instead of the table": (changed(lambda top: top["nodes"][1].update(type="functionNode")), "scripts are not allowed"),
    "call to another system": (with_node("httpNode", {"url": "http://x"}), "calls to other systems"),
    "expression node": (with_node("expressionNode", {"expressions": []}), "expressions are not allowed"),
    "switch": (with_node("switchNode", {"statements": []}), "branches are not allowed"),
    "custom node": (with_node("customNode", {"kind": "shell"}), "custom nodes"),
    "another decision": (with_node("decisionNode", {"key": "rules"}), "other files"),
    "unknown kind": (with_node("pythonNode", {}), "kind 'pythonNode'"),
    "second table": (with_node("decisionTableNode", {}), "a second decisionTableNode"),
    "no table": (changed(lambda top: top["nodes"].pop(1)), "no decisionTableNode"),
    "same node id": (changed(lambda top: top["nodes"][2].update(id="in")), "same id"),
    "cycle": (changed(lambda top: top["edges"].append(edge("t", "t"))), "without cycles"),
    "cycle back": (changed(lambda top: top["edges"].append(edge("out", "in"))), "without cycles"),
    "many edges": (changed(lambda top: top.update(edges=top["edges"] + [edge("in", "t")] * 2000)), "without cycles"),
    "missing edge": (changed(lambda top: top["edges"].pop()), "an edge is missing"),
    "schema of the input": (changed(lambda top: top["nodes"][0].update(content={"schema": '{"pattern": "(a+)+$"}'})), "schemas"),
    "schema in settings": (changed(lambda top: top.update(settings={"validation": {"inputSchema": {"type": "object"}}})), "schemas"),
    "a node nowhere": (changed(lambda top: top["nodes"][0].pop("position")), "save the file from the rule editor"),
    "half a position": (changed(lambda top: top["nodes"][0].update(position={"x": 1})), "position needs numbers x and y"),
    "unknown field": (changed(lambda top: top.update(loader="file:///etc/passwd")), "unknown field 'loader'"),
    "content type": (changed(lambda top: top.update(contentType="text/html")), "contentType"),
    "collect": (changed(lambda top: table_of(top).update(hitPolicy="collect")), "hit policy"),
    "loop": (changed(lambda top: table_of(top).update(executionMode="loop")), "loops"),
    "pass-through": (changed(lambda top: table_of(top).update(passThrough=True)), "passThrough"),
    "input field": (changed(lambda top: table_of(top).update(inputField="map(x, #)")), "inputField"),
    "column without a field": (changed(lambda top: table_of(top)["inputs"][0].update(field="")), "names no field"),
    "default value": (changed(lambda top: table_of(top)["outputs"][0].update(defaultValue="x")), "default value"),
    "column twice": (changed(lambda top: table_of(top)["inputs"][1].update(field="tier")), "second column"),
    "column id twice": (changed(lambda top: table_of(top)["inputs"][1].update(id="tier")), "same id"),
    "row without id": (written([{"tier": "'vip'"}]), "field '_id'"),
    "row id twice": (written([row("a"), row("a")]), "was given to row 1"),
    "cell of a row that is a list": (written([{"_id": "a", "tier": ["'vip'"]}]), "holds no text"),
    "cell of no column": (written([{"_id": "a", "__proto__": "1"}]), "unknown field '__proto__'"),
    "no rows": (written([]), "no rows"),
    "long description": (written([{"_id": "a", "_description": "长" * 201}]), "description"),
}

CELLS = {
    "list with and": ("repeats", "0, > 0 and < 3", "mixes a list with 'and'"),
    "map": ("repeats", "map([1..999999], # * 2)", "it calls map()"),
    "filter": ("keywords", "filter($, # == '投诉')", "it calls filter()"),
    "some": ("keywords", "some($, # == '投诉')", "it calls some()"),
    "len": ("keywords", "len($) > 3", "it calls len()"),
    "matches": ("tier", "matches($, '(a+)+$')", "it calls matches()"),
    "contains outside keywords": ("tier", "contains($, 'v')", "it calls contains()"),
    "closure": ("repeats", "# > 1", "'#' is not allowed"),
    "template": ("tier", "`${tier}`", "is not allowed"),
    "variable": ("repeats", "> dissatisfied", "neither quoted nor allowed"),
    "bare word": ("tier", "vip", "neither quoted nor allowed"),
    "arithmetic": ("repeats", "1 + 1", "'+' is not allowed"),
    "marks run together": ("repeats", ">== 1", "'=' is not allowed"),
    "ternary": ("tier", "true ? 'vip' : 'vip'", "not allowed"),
    "property": ("tier", "$.constructor", "not allowed"),
    "object": ("tier", "{__class__}", "'{' is not allowed"),
    "date": ("hour", "date('now')", "it calls date()"),
    "dash": ("tier", "-", "leave the cell empty"),
    "open quote": ("tier", "'vip", "not allowed"),
    "escaped quote": ("tier", "'v\\'ip'", "not allowed"),
    "long cell": ("tier", "'vip'," * 100, "write at most 400"),
    "many keywords": ("keywords", " or ".join(["contains($, '投诉')"] * 13), "more than 12 keywords"),
    "mixed joints": ("keywords", "contains($, '投诉') or contains($, '退款') and contains($, '发票')", "mixes 'and' with 'or'"),
    "unknown tier": ("tier", "'gold'", "unknown tier 'gold'; use one of: normal, potential, vip"),
    "unknown intent": ("intent", "'NOPE'", "unknown intent 'NOPE'"),
    "unknown category": ("category", "'NOPE'", "unknown category 'NOPE'"),
    "unknown keyword": ("keywords", "contains($, '不在库里')", "unknown keyword"),
    "fraction of an hour": ("hour", "9.5", "write a whole number"),
    "too fine": ("confidence", ">= 0.80001", "at most 3 decimals"),
    "negated time": ("hour", "!= 3", "takes no negation"),
    "half a range": ("hour", "[1..", "out of place"),
    "number as text": ("hour", "'9'", "out of place"),
    "flag as number": ("standing", "1", "out of place"),
    "output of no literal": ("priority", "$.priority", "not allowed"),
    "output that calls": ("tags", "map(keywords, #)", "it calls map()"),
    "output format trick": ("tags", "['{__class__}']", "is no name"),
    "output dunder": ("tags", "['__class__']", "is no name"),
    "output template literal": ("template", "'${env}'", "is no name"),
    "unknown skill": ("skill", "'hackers'", "unknown skill group 'hackers'"),
    "unknown template": ("template", "'V9-别的'", "unknown template"),
    "unknown action": ("action", "'delete'", "unknown action"),
    "unknown notice": ("notify", "['everyone']", "unknown person to notify"),
    "list where one stands": ("skill", "['order']", "out of place"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_by_its_structure(name: str) -> None:
    text, reason = FILES[name]
    with pytest.raises(RuleError) as caught:
        read_table(text)
    assert reason in str(caught.value)
    assert_readable(caught.value)


@pytest.mark.parametrize("name", CELLS)
def test_a_hostile_cell_is_refused_with_its_place(name: str) -> None:
    field, cell, reason = CELLS[name]
    with pytest.raises(RuleError) as caught:
        compile_rules(written([dict(PLAIN, _id="good"), row("bad", {field: cell})]), known=KNOWN)
    assert str(caught.value).startswith(f"node '规则', row 2 ('bad'), column '{field}': ")
    assert reason in str(caught.value)
    assert_readable(caught.value)


def assert_readable(error: RuleError) -> None:
    for mistake in error.mistakes:
        line = str(mistake)
        assert len(line) < 400 and line.isprintable()


def test_every_bad_cell_is_named_at_once_up_to_a_limit() -> None:
    rows = [row(f"r{n}", tier="'gold'", intent="'NOPE'") for n in range(30)]
    with pytest.raises(RuleError) as caught:
        compile_rules(written(rows), known=KNOWN)
    assert len(caught.value.mistakes) == MOST_MISTAKES
    assert [mistake.row for mistake in caught.value.mistakes[:3]] == ["r0", "r0", "r1"]


def ranges(count: int, form: str) -> str:
    """A table with ``count`` rows, no two cells of a column alike, that fire one after the other."""
    counts = ("repeats", "dissatisfied", "undecided", "out_of_scope")
    return written([row(f"r{n}", {field: form.format(n=n % 100, more=n) for field in counts}, tags=f"['t{n}']") for n in range(count)])


def test_more_text_in_cells_than_is_read_in_time_is_refused_before_it_is_read() -> None:
    with pytest.raises(RuleError, match="characters; write at most 12,000, those of keywords counted half, or split the table"):
        compile_rules(ranges(200, ">= {n} and <= {more}, no cell"), known=KNOWN)


def test_a_hundred_rows_with_four_comparisons_each_are_a_legal_table() -> None:
    assert not compile_rules(ranges(100, ">= {n} and <= {more}"), known=KNOWN).blocked


def test_unknown_columns_are_refused() -> None:
    def rename(top: dict[str, Any]) -> None:
        table_of(top)["inputs"][INPUTS.index("tier")]["field"] = "customer.phone"
        table_of(top)["outputs"][0]["field"] = "row_number"

    with pytest.raises(RuleError) as caught:
        compile_rules(changed(rename), known=KNOWN)
    assert [mistake.detail.partition(";")[0] for mistake in caught.value.mistakes] == [
        "unknown input 'customer.phone'",
        "unknown output 'row_number'",
    ]


def test_a_broken_file_names_its_line() -> None:
    with pytest.raises(RuleError) as caught:
        read_table('{\n"nodes": [\n}')
    assert caught.value.mistakes[0].line == 3


@pytest.mark.parametrize("hidden", ["\x1b[2J", "\r", "\n", "\u202e", "\x00", "\ud800"])
def test_a_refusal_never_repeats_what_would_change_how_it_reads(hidden: str) -> None:
    table = table_of(top := tree([dict(PLAIN)]))
    table["outputs"].append({"id": "x", "name": "x", "field": f"x{hidden}", "type": "expression"})
    table["rules"][0]["x"] = ""
    top["nodes"][1]["name"] = f"规则{hidden}"
    keyword = tree([row("r", keywords=f"contains($, '退{hidden}')", action="'none'")])

    for text in (json.dumps(top), json.dumps(keyword)):
        with pytest.raises(RuleError) as caught:
            compile_rules(text, known=KNOWN)
        assert all(str(mistake).isprintable() for mistake in caught.value.mistakes)

"""Templates and rule files that somebody sends to see what happens, each with a part of the reason why it is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from yingda.decide.rules import known_names
from yingda.domain.knowledge import Knowledge
from yingda.domain.records import Payload, RecordId, RecordKind
from yingda.pack.exchange.kinds import records_of

RULE = RecordId(RecordKind.RULE, "rules")
TEMPLATE = RecordId(RecordKind.TEMPLATE, "HOSTILE")
FIELDS = ("tier", "repeats", "keywords", "hour", "action", "priority", "skill", "tags", "template")
INPUTS = 4
COUNTS = ("repeats", "dissatisfied", "undecided", "out_of_scope")


@dataclass(frozen=True, slots=True)
class Case:
    """One record that is saved over the shop's, and words of its refusal."""

    name: str
    id: RecordId
    payload: Payload
    reason: str


TEXTS: Mapping[str, tuple[str, str]] = {
    "attribute": ("{__class__}", "no variable name"),
    "path of attributes": ("{称呼.__class__.__mro__}", "no variable name"),
    "index": ("{称呼[0]}", "no variable name"),
    "format": ("{称呼:>1000000000}", "no variable name"),
    "conversion": ("{称呼!r}", "no variable name"),
    "position": ("{0}", "no variable name"),
    "nothing in braces": ("{}", "names no variable"),
    "double braces": ("{{7*7}}", "braces are not balanced"),
    "open brace": ("{称呼", "braces are not balanced"),
    "variable in variable": ("{称{呼}}", "braces are not balanced"),
    "a thousand open braces": ("{a" * 999, "braces are not balanced"),
    "twenty-one variables": ("{称呼}" * 21, "use at most 20"),
    "too long": ("字" * 2001, "write at most 2,000"),
    "all braces": ("{" * 100_000, "write at most 2,000"),
    "loop of Jinja": ("{% for x in range(999999999) %}x{% endfor %}", "another template language"),
    "note of Jinja": ("{# x #}", "another template language"),
    "shell": ("$(reboot)", "another template language"),
    "dollar": ("${称呼}", "another template language"),
    "old format": ("%(称呼)s", "another template language"),
    "script": ("<script>alert(1)</script>", "HTML"),
    "image": ("< img src=x onerror=alert(1)>", "HTML"),
    "entity": ("&lt;script&gt;", "HTML entities"),
    "address that runs": ("javascript:alert(1)", "script address"),
    "full-width braces": ("｛称呼｝", "full-width braces"),
    "null": ("您好\x00", "invisible or control"),
    "turned around": ("您好\u202e好您", "invisible or control"),
    "zero width": ("您\u200b好", "invisible or control"),
    "surrogate": ("您好\ud800", "invisible or control"),
    "private use": ("您好\ue000", "not valid text"),
    "unknown variable": ("{没有这个}", "unknown variable"),
}
CELLS: Mapping[str, tuple[str, str, str]] = {
    "map over a million": ("repeats", "map([1..999999], # * 2)", "it calls map()"),
    "filter": ("keywords", "filter($, # == '投诉')", "it calls filter()"),
    "regular expression": ("tier", "matches($, '(a+)+$')", "it calls matches()"),
    "closure": ("repeats", "# > 1", "'#' is not allowed"),
    "template in a cell": ("tier", "`${tier}`", "is not allowed"),
    "property": ("tier", "$.constructor", "not allowed"),
    "object": ("tier", "{__class__}", "'{' is not allowed"),
    "arithmetic": ("repeats", "1 + 1", "'+' is not allowed"),
    "date": ("hour", "date('now')", "it calls date()"),
    "long cell": ("tier", "'vip'," * 100, "write at most 400"),
    "many keywords": ("keywords", " or ".join(["contains($, '投诉')"] * 13), "more than 12 keywords"),
    "output that runs": ("tags", "map(keywords, #)", "it calls map()"),
    "output format": ("tags", "['{__class__}']", "is no name"),
    "unknown action": ("action", "'delete'", "unknown action"),
}


def cases_of(shop: Knowledge) -> list[Case]:
    """Every case; templates are the shop's own with one text changed, so that nothing but that text is wrong."""
    return [*_templates(shop), *_rules(sorted(known_names(shop).keywords or ()))]


def _templates(shop: Knowledge) -> list[Case]:
    model = next(row.payload for row in records_of(shop)[RecordKind.TEMPLATE] if row.key == "default")
    good: dict[str, Any] = {"id": "hostile", "version": "1.0", "outcomes": {"answered": copy.deepcopy(model["outcomes"]["answered"])}}

    def with_text(text: str) -> Payload:
        changed = copy.deepcopy(good)
        changed["outcomes"]["answered"]["next"]["zh"] = text
        return changed

    found = [Case(f"template: {name}", TEMPLATE, with_text(text), reason) for name, (text, reason) in TEXTS.items()]
    shapes: Mapping[str, tuple[Any, str]] = {
        "a thousand levels": ({**good, "outcomes": nested(1000)}, "nested deeper"),
        "a hundred thousand values": ({**good, "outcomes": ["x"] * 100_000}, "larger than"),
        "two thousand outcomes": ({**good, "outcomes": {f"o{n}": {} for n in range(2000)}}, "outcomes"),
        "a megabyte": (with_text("长" * 1_000_000), "larger than"),
        "every text hostile": (dict.fromkeys(("id", "version", "outcomes"), "{__class__}" * 180), "outcomes"),
    }
    return [*found, *(Case(f"template: {name}", TEMPLATE, payload, reason) for name, (payload, reason) in shapes.items())]


def _rules(keywords: Sequence[str]) -> list[Case]:
    found = [
        Case(f"rule: {name}", RULE, table([row("good"), row("bad", **{field: cell})]), why) for name, (field, cell, why) in CELLS.items()
    ]
    return [*found, *(Case(f"rule: {name}", RULE, payload, why) for name, (payload, why) in {**_files(), **dear_files(keywords)}.items())]


def dear_files(keywords: Sequence[str]) -> dict[str, tuple[Payload, str]]:
    """Rule files without a single mistake in a cell, made to take long to read or to examine; ``keywords`` are the shop's."""
    random = Random(1)

    def words(most: int) -> str:
        return " or ".join(f"contains($, '{word}')" for word in random.sample(keywords, min(most, len(keywords))))

    def crossed(count: int, most: int, urgent: str = "") -> dict[str, Any]:
        """Rows that cross each other in every column, of random urgency unless they are all as ``urgent``."""
        rows = [
            row(
                f"r{n}",
                keywords=words(most),
                hour=f">= {random.randrange(24)}, < {random.randrange(24)}",
                repeats=f"!= {random.randrange(100)}",
                priority=urgent or f"'{random.choice(('high', 'medium', 'low'))}'",
                tags=f"['t{n}']",
            )
            for n in range(count)
        ]
        return table(rows)

    def ranged(count: int, fields: Sequence[str], form: str, most: int = 0) -> dict[str, Any]:
        """Rows with a range of its own in every cell of ``fields``, and ``most`` keywords each."""
        rows = []
        for n in range(count):
            cells = {}
            for field in fields:
                low = random.randrange(23)
                cells[field] = form.format(low=low, high=random.randrange(low, 24 if field == "hour" else 100))
            if most:
                cells["keywords"] = words(most)
            rows.append({"_id": f"r{n}", **cells, "priority": f"'{random.choice(('high', 'medium', 'low'))}'", "tags": f"['t{n}']"})
        return table(rows, fields=("keywords", "hour", *COUNTS, "priority", "tags"), inputs=6)

    never = row("never", tier="'vip'", hour="[22..6]", priority="'high'")
    lists = [row(f"r{n}", repeats=", ".join(str((n + m) % 100) for m in range(99)), priority="'high'") for n in range(200)]
    points = [row(f"r{n}", repeats=f"!= {n % 100}", hour=f"{n % 24}", tier="'vip'", priority="'high'") for n in range(199)]
    covered = [row(f"r{n}", keywords=f"{'not ' * (n % 2)}contains($, '{keywords[n // 2]}')", priority="'high'") for n in range(198)]
    return {
        "twelve keywords in each of 200 rows": (crossed(200, 12), "keywords; name at most"),
        "twelve keywords, all as urgent": (crossed(200, 12, "'high'"), "keywords; name at most"),
        "long lists in every row": (table(lists), "characters; write at most"),
        "three keywords in each of 200 rows": (crossed(200, 3), "more urgent than"),
        "ten keywords in each of 60 rows": (crossed(60, 10), "more urgent than"),
        "a hundred rows that cross": (crossed(100, 6), "more urgent than"),
        "200 rows, the last one never": (table([*points, never]), "never"),
        "200 rows as urgent, the last one never": (table([*crossed(199, 3, "'high'")["nodes"][1]["content"]["rules"], never]), "never"),
        "ranges in five columns of 200 rows": (ranged(200, ("hour", *COUNTS), "[{low}..{high}]"), "more urgent than"),
        "ranges of two parts in five columns": (ranged(200, ("hour", *COUNTS), "[{low}..{high}], [0..{low}]"), "characters; write at most"),
        "comparisons in five columns of 200 rows": (ranged(200, ("hour", *COUNTS), ">= {low} and <= {high}"), "characters; write at most"),
        "comparisons in five columns of 140 rows": (ranged(140, ("hour", *COUNTS), ">= {low} and <= {high}"), "more urgent than"),
        "three keywords and two ranges in 199 rows": (ranged(199, COUNTS[:2], "[{low}..{high}]", 3), "more urgent than"),
        "a hundred keywords, there and not": (table([*covered, never]), "never"),
    }


def _files() -> Mapping[str, tuple[Payload, str]]:
    return {
        "script": (_with_node("functionNode", {"source": "while(true){}"}), "scripts are not allowed"),
        "call to another system": (_with_node("httpNode", {"url": "http://x"}), "calls to other systems"),
        "expression node": (_with_node("expressionNode", {"expressions": []}), "expressions are not allowed"),
        "switch": (_with_node("switchNode", {"statements": []}), "branches are not allowed"),
        "custom node": (_with_node("customNode", {"kind": "shell"}), "custom nodes"),
        "another decision": (_with_node("decisionNode", {"key": "rules"}), "other files"),
        "loop": (_changed(lambda top: _content(top).update(executionMode="loop")), "loops"),
        "cycle": (_changed(lambda top: top["edges"].append(_edge("t", "t"))), "without cycles"),
        "many edges": (_changed(lambda top: top["edges"].extend([_edge("in", "t")] * 2000)), "without cycles"),
        "many rows": (table([{"_id": f"r{n}"} for n in range(1500)]), "rows; write at most"),
        "many empty lists": (_changed(lambda top: top.update(settings=[[]] * 60_000)), "larger than"),
        "a hundred levels": (_changed(lambda top: top.update(settings=nested(100))), "nested deeper"),
        "ten levels": (_changed(lambda top: top.update(settings=nested(10))), "nested deeper"),
        "schema": (_changed(lambda top: top["nodes"][0].update(content={"schema": '{"pattern": "(a+)+$"}'})), "schemas"),
        "file to load": (_changed(lambda top: top.update(loader="file:///etc/passwd")), "unknown field 'loader'"),
        "input expression": (_changed(lambda top: _content(top).update(inputField="map(x, #)")), "inputField"),
        "default value": (_changed(lambda top: _content(top)["outputs"][0].update(defaultValue="x")), "default value"),
        "prototype": (table([{"_id": "a", "__proto__": "1"}]), "unknown field '__proto__'"),
        "every row hostile": (table([row(f"r{n}", tier="matches($, '(a+)+$')", tags="map(keywords, #)") for n in range(200)]), "it calls"),
    }


def nested(levels: int) -> Any:
    """A text in ``levels`` lists."""
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def row(id_: str, **cells: str) -> dict[str, Any]:
    """A rule of the table below."""
    return {"_id": id_, "_description": id_, **dict.fromkeys(FIELDS, ""), **cells}


def table(rows: list[dict[str, Any]], *, fields: Sequence[str] = FIELDS, inputs: int = INPUTS) -> dict[str, Any]:
    """A rule file as the editor writes it, with ``inputs`` input columns before those of the outputs."""
    columns = [{"id": field, "name": field, "field": field, "type": "expression"} for field in fields]
    content = {"hitPolicy": "first", "inputs": columns[:inputs], "outputs": columns[inputs:], "rules": rows}
    nodes = [_node("in", "inputNode", None), _node("t", "decisionTableNode", content), _node("out", "outputNode", None)]
    return {"contentType": "application/vnd.gorules.decision", "nodes": nodes, "edges": [_edge("in", "t"), _edge("t", "out")]}


def _changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    top = table([row("good", tier="'vip'", priority="'high'")])
    change(top)
    return top


def _with_node(kind: str, content: Any) -> dict[str, Any]:
    return _changed(lambda top: top["nodes"].append(_node("x", kind, content)))


def _content(top: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = top["nodes"][1]["content"]
    return content


def _node(id_: str, kind: str, content: Any) -> dict[str, Any]:
    node = {"id": id_, "type": kind, "name": id_, "position": {"x": 0, "y": 0}}
    return node if content is None else {**node, "content": content}


def _edge(source: str, target: str) -> dict[str, str]:
    return {"id": f"{source}-{target}", "type": "edge", "sourceId": source, "targetId": target}

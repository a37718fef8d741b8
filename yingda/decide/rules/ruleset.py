"""A rule file compiled: checked cell by cell, examined for flaws, and run by the ZEN engine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, reduce
from hashlib import sha256
from typing import Any

import zen

from yingda.cache import Cache
from yingda.decide.rules.cells import CellError, Choice, brief, choices_of, values_of, words_of
from yingda.decide.rules.columns import Column, Kind, Output, input_columns, output_columns
from yingda.decide.rules.document import MOST_TEXT, MOST_WORDS, Heading, Row, Table, read_table, table_of
from yingda.decide.rules.examples import example_of
from yingda.decide.rules.findings import Finding, Judged, Report, examine
from yingda.decide.rules.names import KnownNames
from yingda.decide.rules.space import Cells, Space
from yingda.domain.knowledge import Priority
from yingda.domain.records import canonical_json
from yingda.domain.rules import Action, RuleError, RuleInput, RuleMistake, RuleOutcome

MOST_MISTAKES = 20

KEPT = 4096
"""Messages whose row is remembered: what a table reads of them (a tier, an intent, a count) is often the same."""

_KEY = "rules"
_NUMBER = "row_number"
"""The output that tells which row fired; no column of a rule file may have that name."""

NOTHING = RuleOutcome()

COMPILED = 32
"""Files that are remembered with their names; a shop has a few, and each of them as it was and as it is."""

Read = Callable[[RuleInput], object]
"""What a column holds for a message."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: its place from 1, its id, what people call it, what it sets, and how urgent it is (greater is more urgent)."""

    number: int
    id: str
    description: str
    outcome: RuleOutcome
    urgency: tuple[int, int]


class RuleSet:
    """A decision table ready to run. Immutable; threads may share it. ``digest`` names its file and the names it was judged against."""

    def __init__(
        self, table: Table, judged: Sequence[Judged], columns: Mapping[str, Column], findings: tuple[Finding, ...], *, digest: str
    ) -> None:
        self.digest = digest
        rows = zip(table.rows, judged, strict=True)
        self.rules = tuple(Rule(row.number, row.id, row.description, one.outcome, one.urgency()) for row, one in rows)
        self.findings, self.judged = findings, tuple(judged)
        self.columns = tuple(columns[heading.field] for heading in table.inputs)
        named = frozenset(word for one in judged for choice in one.cells.choices for word in choice)
        self._reads: tuple[tuple[str, Read], ...] = tuple((heading.field, _read(columns[heading.field], named)) for heading in table.inputs)
        self.tells_time = any(columns[heading.field].timed for heading in table.inputs)
        self._table = table
        self._rule_of = lru_cache(maxsize=KEPT)(self._first)

    @property
    def blocked(self) -> bool:
        """True when a finding keeps the table from being published."""
        return any(finding.blocks for finding in self.findings)

    def fired(self, seen: RuleInput) -> Rule | None:
        """The first row that holds, None when none does."""
        return self._rule_of(*(tuple(value) if isinstance(value, list) else value for value in self._values(seen)))

    def evaluate(self, seen: RuleInput) -> RuleOutcome:
        """What the first row that holds sets; NOTHING when none does."""
        rule = self.fired(seen)
        return NOTHING if rule is None else rule.outcome

    def run(self, seen: RuleInput) -> dict[str, Any]:
        """What the table itself returns: every output of the row that fired."""
        return self._run(self._values(seen))

    def _values(self, seen: RuleInput) -> list[object]:
        """What each input column reads."""
        return [read(seen) for _, read in self._reads]

    @cached_property
    def _engine(self) -> zen.ZenEngine:
        """Made when it is first asked: a table that is refused needs none. A static loader compiles the table once; a decision
        made from JSON is slower (reports/bench/rules.md)."""
        return zen.ZenEngine({"loader": {"type": "static", "content": {_KEY: _model(self._table)}}})

    def _first(self, *values: object) -> Rule | None:
        number = self._run([list(value) if isinstance(value, tuple) else value for value in values]).get(_NUMBER)
        return None if number is None else self.rules[int(number)]

    def _run(self, values: Sequence[object]) -> dict[str, Any]:
        context = {field: value for (field, _), value in zip(self._reads, values, strict=True)}
        found: dict[str, Any] = self._engine.evaluate(_KEY, context)["result"]
        return found


def _read(column: Column, named: Collection[str]) -> Read:
    """What ``column`` reads; of keywords those that cells name alone: the others decide nothing, and nearly every message has its own."""
    if column.kind is not Kind.WORDS:
        return column.read
    return lambda seen: [word for word in seen.keywords if word in named]


_COMPILED: Cache[RuleSet] = Cache(COMPILED)
_EXAMINED: Cache[Report] = Cache(COMPILED)


def compile_rules(text: str, *, known: KnownNames) -> RuleSet:
    """The rules of a file in GoRules JDM; raises RuleError with every reason why it is refused, one line each.

    Flaws of a table that runs (rows that never fire, lower urgency above higher) are in ``findings`` of what is returned. The last
    COMPILED files are remembered, so that one which is checked, saved and then used is compiled once.
    """
    key = f"{sha256(text.encode(errors='surrogatepass')).hexdigest()} {known.digest()}"
    rules = _COMPILED.get(key)
    if rules is None:
        rules = _compiled(text, known, key)
        _COMPILED.keep({key: rules})
    return rules


def forget_rules() -> None:
    """Forget every file and cell that was read, so that a measurement begins as with a file never seen."""
    _COMPILED.clear()
    _EXAMINED.clear()
    for read in (values_of, choices_of, words_of):
        read.cache_clear()


def combined(files: Sequence[RuleSet], seen: RuleInput) -> RuleOutcome:
    """What several files set together: the most urgent row that fires decides, others fill what it leaves open.

    Of rows that are as urgent as each other that of the earlier file comes first.
    """
    fired = [rule for rule in (rules.fired(seen) for rules in files) if rule is not None]
    fired.sort(key=lambda rule: rule.urgency, reverse=True)  # keeps the order of what is equal
    return reduce(RuleOutcome.filled_from, (rule.outcome for rule in fired), NOTHING)


def _compiled(text: str, known: KnownNames, digest: str) -> RuleSet:
    table = read_table(text)
    columns, outputs = input_columns(known), output_columns(known)
    judged = _Reading(table, columns, outputs, known).rows()
    space = _space_of(table, judged, columns, known)
    report = _examined(sha256(text.encode(errors="surrogatepass")).digest(), judged, space, known)
    rules = RuleSet(table, judged, columns, report.findings, digest=digest)
    if rules.blocked:
        return rules
    for number, row in enumerate(judged):
        fired = report.firing.get(row.id)
        if fired is not None and _said(rules.run(example_of(fired, space, known).seen), number, row.id) != row.outcome:
            detail = "the rule engine reads this row otherwise than the checks; write its cells in a simpler form"
            raise RuleError([RuleMistake(table.where(table.rows[number]), detail, row.id)])
    return rules


def check_syntax(tree: Mapping[str, Any], *, known: KnownNames) -> tuple[Finding, ...]:
    """What is wrong with a parsed rule file whatever keywords and templates the shop has; raises RuleError where it cannot be read.

    It costs some milliseconds and runs nothing, so that a hostile file is refused before the shop around it is looked at.
    """
    table, columns, outputs = table_of(tree), input_columns(known), output_columns(known)
    outputs = {**outputs, "template": replace(outputs["template"], names=None)}
    judged = _Reading(table, columns, outputs, replace(known, keywords=None)).rows()
    digest = sha256(canonical_json(tree).encode(errors="surrogatepass")).digest()
    return _examined(digest, judged, _space_of(table, judged, columns, known), known).findings


def _space_of(table: Table, judged: Sequence[Judged], columns: Mapping[str, Column], known: KnownNames) -> Space:
    return Space([columns[heading.field] for heading in table.inputs], [row.cells for row in judged], known, columns["intent"])


def _examined(digest: bytes, judged: Sequence[Judged], space: Space, known: KnownNames) -> Report:
    """The flaws of the file of that digest, for which intents and how they read are all that counts of the names; remembered."""
    key = digest, tuple(known.intents.items()), tuple(known.titles.items())
    report = _EXAMINED.get(key)
    if report is None:
        report = examine(judged, space, known)
        _EXAMINED.keep({key: report})
    return report


class _Reading:
    """Reads every cell of a table and gathers what is wrong with them."""

    def __init__(self, table: Table, inputs: Mapping[str, Column], outputs: Mapping[str, Output], known: KnownNames) -> None:
        self._table, self._inputs, self._outputs, self._known = table, inputs, outputs, known
        self._mistakes: list[RuleMistake] = []
        self._read: dict[tuple[str, str], Any] = {}

    def rows(self) -> list[Judged]:
        """Every row, read; raises RuleError with all mistakes, at most MOST_MISTAKES."""
        self._check_headings()
        self._check_amount()
        judged = [self._row(row) for row in self._table.rows]
        self._stop_if_any()
        return judged

    def _check_headings(self) -> None:
        for headings, allowed, what in ((self._table.inputs, self._inputs, "input"), (self._table.outputs, self._outputs, "output")):
            for heading in headings:
                if heading.field not in allowed:
                    detail = f"unknown {what} '{brief(heading.field)}'; use one of: {', '.join(allowed)}"
                    self._mistakes.append(RuleMistake(f"node '{brief(self._table.name)}'", detail))
        self._stop_if_any()

    def _check_amount(self) -> None:
        """Refuse more than is read in some milliseconds, before any cell is."""
        cells = {(h.field, row.cells[h.id]) for row in self._table.rows for h in (*self._table.inputs, *self._table.outputs)}
        words = sum(row.cells[h.id].count("contains") for row in self._table.rows for h in self._table.inputs if h.field == "keywords")
        where, detail = f"node '{brief(self._table.name)}'", "split the table into files of fewer rows"
        if words > MOST_WORDS:
            detail = f"its {len(self._table.rows)} rows name {words:,} keywords; name at most {MOST_WORDS} in a file, or {detail}"
            self._mistakes.append(RuleMistake(where, detail))
        elif (length := sum(len(text) // (2 if field == "keywords" else 1) for field, text in cells)) > MOST_TEXT:
            detail = f"its cells have {length:,} characters; write at most {MOST_TEXT:,}, those of keywords counted half, or {detail}"
            self._mistakes.append(RuleMistake(where, detail))
        self._stop_if_any()

    def _row(self, row: Row) -> Judged:
        read = {heading.field: self._input(row, heading) for heading in self._table.inputs if row.cells[heading.id].strip()}
        choices = read.pop("keywords", ({},))
        words = {heading.field: self._output(row, heading) for heading in self._table.outputs}
        return Judged(row.id, Cells(read, choices), _outcome(row.id, words))

    def _input(self, row: Row, heading: Heading) -> Any:
        column = self._inputs[heading.field]
        if column.kind is Kind.WORDS:
            return self._cell(row, heading, lambda text: _known_words(choices_of(text, column), self._known), ())
        return self._cell(row, heading, lambda text: values_of(text, column), 0)

    def _output(self, row: Row, heading: Heading) -> tuple[str, ...]:
        output = self._outputs[heading.field]
        words: tuple[str, ...] = self._cell(row, heading, lambda text: words_of(text, output), ())
        return words

    def _cell(self, row: Row, heading: Heading, read: Callable[[str], Any], nothing: Any) -> Any:
        """What a cell says; ``nothing`` after its mistake was noted. Equal cells of a column are read once."""
        key = (heading.field, row.cells[heading.id])
        try:
            if key not in self._read:
                self._read[key] = read(key[1])
            return self._read[key]
        except CellError as error:
            self._mistakes.append(RuleMistake(self._table.where(row, heading), str(error), row.id))
            if len(self._mistakes) >= MOST_MISTAKES:
                self._stop_if_any()
            return nothing

    def _stop_if_any(self) -> None:
        if self._mistakes:
            raise RuleError(self._mistakes)


def _known_words(choices: tuple[Choice, ...], known: KnownNames) -> tuple[Choice, ...]:
    for word in (word for choice in choices for word in choice):
        if known.keywords is not None and word not in known.keywords:
            raise CellError(f"unknown keyword '{brief(word)}'; correct it or add it to the keyword library")
    return choices


def _outcome(row: str, words: Mapping[str, tuple[str, ...]]) -> RuleOutcome:
    first = {field: found[0] for field, found in words.items() if found}
    return RuleOutcome(
        action=Action(first.get("action", Action.NONE)),
        priority=Priority(first["priority"]) if "priority" in first else None,
        skill=first.get("skill"),
        template=first.get("template"),
        tags=words.get("tags", ()),
        notify=words.get("notify", ()),
        rows=(row,),
    )


def _said(found: Mapping[str, Any], number: int, row: str) -> RuleOutcome | None:
    """What the engine returned, as the outcome of row ``row``; None when another row than ``number`` fired."""
    if found.get(_NUMBER) != number:
        return None
    words = {field: tuple(value) if isinstance(value, list) else (value,) for field, value in found.items() if value is not None}
    return _outcome(row, {field: tuple(dict.fromkeys(value)) for field, value in words.items()})


def _model(table: Table) -> dict[str, Any]:
    """The table as the engine runs it: what was checked and nothing else, and one more output, the row's number."""
    ends = (("in", "inputNode"), ("out", "outputNode"))
    columns = {
        "inputs": [{"id": h.id, "name": h.field, "field": h.field, "type": "expression"} for h in table.inputs],
        "outputs": [{"id": h.id, "name": h.field, "field": h.field, "type": "expression"} for h in table.outputs],
    }
    columns["outputs"].append({"id": "_number", "name": _NUMBER, "field": _NUMBER, "type": "expression"})
    rows = [{"_id": row.id, **row.cells, "_number": str(place)} for place, row in enumerate(table.rows)]
    nodes = [{"id": name, "type": kind, "name": name, "position": {"x": 0, "y": 0}} for name, kind in ends]
    content = {"hitPolicy": "first", **columns, "rules": rows}
    nodes.append({"id": "table", "type": "decisionTableNode", "name": "table", "position": {"x": 0, "y": 0}, "content": content})
    edges = [("in", "table"), ("table", "out")]
    return {"nodes": nodes, "edges": [{"id": a + b, "type": "edge", "sourceId": a, "targetId": b} for a, b in edges]}

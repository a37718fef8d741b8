"""Whatever the table: the checks read it as the engine runs it, and every flaw is what counting all messages finds."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules_kit import KNOWN, row, seen, written
from yingda.decide.rules import Flaw, RuleSet, compile_rules
from yingda.decide.rules.cells import choices_of, values_of
from yingda.decide.rules.columns import Column, Kind, input_columns
from yingda.domain.decision import Outcome
from yingda.domain.knowledge import Sentiment
from yingda.domain.message import Channel, Tier
from yingda.domain.rules import Clock, RuleError, RuleInput

COLUMNS = input_columns(KNOWN)
WORDS = sorted(KNOWN.keywords or ())
BLOCKING = (Flaw.UNREACHABLE, Flaw.SHADOWED, Flaw.CONFLICT)


def quoted(names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda name, quote: f"{quote}{name}{quote}", names, st.sampled_from("'\""))


@cache
def cells_of(column: Column) -> st.SearchStrategy[str]:
    """Cells of the whole grammar."""
    if column.kind is Kind.FLAG:
        return st.sampled_from(["", "true", "false", "== true", " true, false"])
    if column.kind is Kind.WORDS:
        atom = st.builds(lambda no, word: f"{no}contains($, '{word}')", st.sampled_from(["", "not "]), st.sampled_from(WORDS))
        return st.just("") | st.builds(
            lambda atoms, joint: joint.join(atoms), st.lists(atom, min_size=1, max_size=3), st.sampled_from([" or ", " and "])
        )
    if column.kind is Kind.WORD:
        name = quoted(st.sampled_from(column.names))
        listed = st.lists(name, min_size=1, max_size=3).map(", ".join)
        return st.just("") | listed | name.map("!= {}".format) | listed.map("in [{}]".format) | listed.map("not in [{}]".format)
    one = number_tests(column)
    plain = one.filter(lambda test: " and " not in test)  # a list of such is refused
    return st.just("") | one | st.lists(plain, min_size=2, max_size=2).map(", ".join)


def number_tests(column: Column) -> st.SearchStrategy[str]:
    number = st.integers(-2, column.size // column.scale + 2).map(str)
    if column.scale > 1:
        number = st.integers(0, 1000).map(lambda n: f"{n / 1000:g}")
    mark = st.sampled_from([">", ">=", "<", "<="])
    compared = st.builds("{} {}".format, mark, number)
    ranged = st.builds(lambda a, x, y, b: f"{a}{x}..{y}{b}", st.sampled_from("[("), number, number, st.sampled_from("])"))
    listed = st.lists(number, min_size=1, max_size=3).map(lambda numbers: f"in [{', '.join(numbers)}]")
    plain = number | compared | ranged | ranged.map("in {}".format) | listed | st.builds("{} and {}".format, compared, compared)
    return plain if column.timed else plain | number.map("!= {}".format) | listed.map("not {}".format) | ranged.map("not in {}".format)


CLOCKS = st.builds(Clock, st.integers(0, 23), st.integers(1, 7), st.booleans(), st.booleans())
COUNTS = st.integers(0, 5) | st.integers(90, 120)
SEEN = st.builds(
    lambda intent, **rest: RuleInput(intent=intent, category=KNOWN.intents[intent], **rest),
    st.sampled_from(list(KNOWN.intents)),
    outcome=st.sampled_from(Outcome),
    tier=st.sampled_from(Tier),
    sentiment=st.sampled_from(Sentiment),
    channel=st.sampled_from(Channel),
    keywords=st.lists(st.sampled_from(WORDS), unique=True).map(tuple),
    clock=st.none() | CLOCKS,
    repeats=COUNTS,
    dissatisfied=COUNTS,
    undecided=COUNTS,
    out_of_scope=COUNTS,
    standing=st.booleans(),
    confidence=st.floats(0, 1) | st.integers(0, 1000).map(lambda n: n / 1000),
)


def holds(cells: dict[str, str], message: RuleInput) -> bool:
    """Whether a row holds, by the sets that the checks work with."""
    return all(_cell_holds(COLUMNS[field], text, message) for field, text in cells.items())


def _cell_holds(column: Column, text: str, message: RuleInput) -> bool:
    value = column.read(message)
    if column.kind is Kind.WORDS:
        assert isinstance(value, list)
        return any(all((word in value) == there for word, there in choice.items()) for choice in _read(column, text))
    return bool(_read(column, text) >> _place(column, value) & 1)


@cache
def _read(column: Column, text: str) -> Any:
    return choices_of(text, column) if column.kind is Kind.WORDS else values_of(text, column)


def _place(column: Column, value: object) -> int:
    if value is None:
        return column.size - 1
    if column.kind is Kind.WORD:
        return column.names.index(str(value))
    assert isinstance(value, (int, float))
    return round(value * column.scale) - column.least


@given(st.data(), st.sampled_from(list(COLUMNS)), st.lists(SEEN, min_size=10, max_size=10))
@settings(max_examples=25, deadline=None)
def test_the_engine_reads_a_cell_as_the_checks_do(data: st.DataObject, field: str, messages: list[RuleInput]) -> None:
    cells = data.draw(st.lists(cells_of(COLUMNS[field]), min_size=1, max_size=6))
    rules = compile_rules(written([row(f"r{n}", {field: cell}, tags=f"'t{n}'") for n, cell in enumerate(cells)]), known=KNOWN)
    for message in messages:
        first = next(((f"r{n}",) for n, cell in enumerate(cells) if holds({field: cell}, message)), ())
        assert rules.evaluate(message).rows == first


ROWS = st.lists(st.fixed_dictionaries({}, optional={field: cells_of(column) for field, column in COLUMNS.items()}), min_size=1, max_size=8)


@given(ROWS, st.lists(SEEN, min_size=10, max_size=10))
@settings(max_examples=12, deadline=None)
def test_the_engine_fires_the_row_that_the_checks_expect(rows: list[dict[str, str]], messages: list[RuleInput]) -> None:
    rules = compile_rules(written([row(f"r{n}", cells, tags=f"'t{n}'") for n, cells in enumerate(rows)]), known=KNOWN)
    for message in messages:
        first = next(((f"r{n}",) for n, cells in enumerate(rows) if holds(cells, message)), ())
        assert rules.evaluate(message).rows == first


SMALL = ("tier", "intent", "category", "sentiment", "open", "holiday", "keywords")
SETS = st.fixed_dictionaries({}, optional={field: cells_of(COLUMNS[field]) for field in SMALL})
PRIORITIES = st.sampled_from(["", "'low'", "'high'"])


@cache
def every_message() -> tuple[RuleInput, ...]:
    """All that a table of the SMALL columns can tell apart."""
    return tuple(_messages())


def _messages() -> Iterator[RuleInput]:
    clocks = [None, *(Clock(10, 3, holiday, open_) for holiday, open_ in itertools.product((True, False), repeat=2))]
    words = [
        tuple(w for w, there in zip(WORDS, some, strict=True) if there) for some in itertools.product((True, False), repeat=len(WORDS))
    ]
    for tier, (intent, category), feeling, clock, found in itertools.product(Tier, KNOWN.intents.items(), Sentiment, clocks, words):
        yield seen(tier=tier, intent=intent, category=category, sentiment=feeling, clock=clock, keywords=found)


@given(st.lists(st.tuples(SETS, PRIORITIES), min_size=1, max_size=6))
@settings(max_examples=15, deadline=None)
def test_flaws_are_those_that_counting_every_message_finds(drawn: list[tuple[dict[str, str], str]]) -> None:
    rows = [cells for cells, _ in drawn]
    rules = compile_rules(
        written([row(f"r{n}", cells, priority=priority, tags=f"'t{n}'") for n, (cells, priority) in enumerate(drawn)]), known=KNOWN
    )
    hits = [{place for place, message in enumerate(every_message()) if holds(cells, message)} for cells in rows]
    fired = [mine.difference(*hits[:n]) for n, mine in enumerate(hits)]
    ranks = [urgency(cells, priority) for cells, priority in drawn]
    expected: set[tuple[Flaw, str, tuple[str, ...]]] = {(Flaw.UNREACHABLE, f"r{n}", ()) for n, mine in enumerate(hits) if not mine}
    expected |= {(Flaw.SHADOWED, f"r{n}", ()) for n, mine in enumerate(hits) if mine and not fired[n]}
    for low, high in itertools.combinations(range(len(rows)), 2):
        low, high = high, low
        if fired[low] and fired[high] & hits[low] and ranks[high] < ranks[low]:
            expected.add((Flaw.CONFLICT, f"r{low}", (f"r{high}",)))
    told = {(f.flaw, f.row, f.others if f.flaw is Flaw.CONFLICT else ()) for f in rules.findings if f.flaw in BLOCKING}
    assert told == expected
    assert_examples_show(rules, dict(zip((f"r{n}" for n in range(len(rows))), rows, strict=True)))


def urgency(cells: dict[str, str], priority: str) -> tuple[int, int]:
    admitted = values_of(cells.get("tier", ""), COLUMNS["tier"])
    ranks = [rank for place, rank in enumerate((2, 1, 0)) if admitted >> place & 1]
    return ["", "'low'", "'high'"].index(priority), min(ranks, default=0)


def assert_examples_show(rules: RuleSet, rows: dict[str, dict[str, str]]) -> None:
    """A shadowed row holds for its example and another fires; in a conflict the upper row fires."""
    for found in rules.findings:
        if found.flaw in (Flaw.SHADOWED, Flaw.CONFLICT, Flaw.EQUAL_URGENCY):
            assert found.example is not None and holds(rows[found.row], found.example.seen)
            assert set(rules.evaluate(found.example.seen).rows) <= set(found.others) != set()


@given(st.text(alphabet="'\"$#(){}[],.=<>!&|+-*/ \n\\`0123456789abtruefalsinoc_词", max_size=30), st.sampled_from(list(COLUMNS)))
@settings(max_examples=60, deadline=None)
def test_any_text_in_a_cell_is_read_or_refused_in_one_line(cell: str, field: str) -> None:
    try:
        compile_rules(written([row("r", {field: cell})]), known=KNOWN)
    except RuleError as error:
        assert all(str(mistake).isprintable() for mistake in error.mistakes)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(["nodes", "edges", "type", "content", "id"]), x, max_size=4),
        max_leaves=12,
    )
)
@settings(max_examples=40, deadline=None)
def test_any_json_is_read_or_refused(tree: object) -> None:
    try:
        compile_rules(json.dumps(tree), known=KNOWN)
    except RuleError as error:
        assert len(error.mistakes) >= 1

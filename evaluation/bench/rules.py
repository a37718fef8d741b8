"""Time of a rule set by number of rows: ``python -m evaluation.bench.rules --out DIR``.

Tables are drawn: each row asks for two to four things out of the pack's own intents, tiers, feelings, channels and keywords, the
hour and the counts of the conversation, and sets priority, group and tags. Messages are drawn likewise. Three ways take turns
message by message, so that what else the machine does weighs on all of them alike: zen-engine on the file as it is, our compiled
table asked for a message that it never saw (nothing remembered), and asked again. Every message must have the same outcome in
all of them. A file holds at most 200 rows; more rows are several files, asked as a pack's are, the most urgent row first.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import zen

from evaluation.bench.serving.machine import read_machine
from yingda import bundle as layout
from yingda.decide.rules import KnownNames, combined, compile_rules, known_names
from yingda.decide.rules.columns import Column, input_columns, output_columns
from yingda.decide.rules.document import MOST_ROWS
from yingda.domain.decision import Outcome
from yingda.domain.errors import YingdaError
from yingda.domain.knowledge import Priority, Sentiment
from yingda.domain.message import Channel, Tier
from yingda.domain.rules import Action, Clock, RuleInput, RuleOutcome
from yingda.pack import read_knowledge

MESSAGES = 2_000
BUDGET_US = 200.0
BUDGET_ROWS = 100

_COUNTS = ("repeats", "dissatisfied", "undecided", "out_of_scope")


@dataclass(frozen=True)
class Measured:
    """Figures of one size; times in microseconds are least, median and 99th percentile of a message.

    ``fired`` is the share of messages for which a row held, ``disagree`` the messages that the three ways do not decide alike.
    """

    rows: int
    files: int
    zen_us: tuple[float, float, float]
    compiled_us: tuple[float, float, float]
    remembered_us: tuple[float, float, float]
    compile_ms: float
    messages: int
    fired: float
    disagree: int


# ---- what is measured ----


def draw_rows(count: int, known: KnownNames, random: Random) -> list[dict[str, str]]:
    """``count`` rows as the visual editor writes them."""
    keywords = sorted(known.keywords or ())
    asks: dict[str, Callable[[], str]] = {
        "tier": lambda: _quoted(random.sample([str(tier) for tier in Tier], random.choice((1, 2)))),
        "intent": lambda: _quoted(_some(sorted(known.intents), random.choice((1, 3, 6)), random)),
        "category": lambda: _quoted(_some(known.categories, 2, random)),
        "sentiment": lambda: _quoted([str(random.choice(tuple(Sentiment)))]),
        "channel": lambda: _quoted(random.sample([str(channel) for channel in Channel], 3)),
        "keywords": lambda: " or ".join(f"contains($, '{word}')" for word in _some(keywords, 3, random)),
        "hour": lambda: random.choice(("[9..18)", ">= 22, < 8", "[18..22]")),
        "confidence": lambda: f">= {random.randrange(1, 10) / 10}",
        **{name: lambda: f">= {random.randrange(1, 4)}" for name in _COUNTS},
    }
    rows = []
    for number in range(count):
        conditions = {name: asks[name]() for name in random.sample(sorted(asks), random.choice((2, 3, 4)))}
        sets = {"priority": _quoted([str(random.choice(tuple(Priority)))]), "skill": _quoted([random.choice(sorted(known.skills))])}
        rows.append({"_id": f"r{number}", **conditions, **sets, "tags": f"['t{number}']"})
    return rows


def document_of(rows: Sequence[Mapping[str, str]], known: KnownNames) -> str:
    """A rule file with every column; raises nothing, whatever the rows say."""
    inputs, outputs = (list(columns(known)) for columns in (input_columns, output_columns))

    def headings(fields: Sequence[str]) -> list[dict[str, str]]:
        return [{"id": field, "name": field, "field": field, "type": "expression"} for field in fields]

    filled = [{**dict.fromkeys((*inputs, *outputs), ""), **row} for row in rows]
    content = {"hitPolicy": "first", "inputs": headings(inputs), "outputs": headings(outputs), "rules": filled}
    place = {"position": {"x": 0, "y": 0}}
    nodes = [
        {"id": "in", "type": "inputNode", "name": "in", **place},
        {"id": "table", "type": "decisionTableNode", "name": "table", **place, "content": content},
        {"id": "out", "type": "outputNode", "name": "out", **place},
    ]
    edges = [{"id": a + b, "type": "edge", "sourceId": a, "targetId": b} for a, b in (("in", "table"), ("table", "out"))]
    return json.dumps({"nodes": nodes, "edges": edges}, ensure_ascii=False)


def draw_messages(count: int, known: KnownNames, random: Random) -> list[RuleInput]:
    """``count`` messages; hardly two of them are alike to a rule, for each has a confidence of its own."""
    intents, keywords = sorted(known.intents), sorted(known.keywords or ())
    return [
        RuleInput(
            intent=(intent := random.choice(intents)),
            category=known.intents[intent],
            outcome=random.choice(tuple(Outcome)),
            tier=random.choice(tuple(Tier)),
            sentiment=random.choice(tuple(Sentiment)),
            channel=random.choice(tuple(Channel)),
            keywords=tuple(_some(keywords, random.choice((0, 0, 1, 3)), random)),
            clock=Clock(random.randrange(24), random.randrange(1, 8), random.random() < 0.05, random.random() < 0.6),
            **{name: random.choice((0, 0, 0, 1, 2, 3)) for name in _COUNTS},
            standing=random.random() < 0.1,
            confidence=random.randrange(1000) / 1000,
        )
        for _ in range(count)
    ]


class Plain:
    """zen-engine as its documentation shows it: a decision made from the file, and the message as a mapping."""

    def __init__(self, text: str, columns: Mapping[str, Column]) -> None:
        self._decision, self._columns = zen.ZenEngine().create_decision(text), columns

    def evaluate(self, seen: RuleInput) -> dict[str, Any]:
        """What the table sets for ``seen``."""
        found = self._decision.evaluate({field: column.read(seen) for field, column in self._columns.items()})
        told: dict[str, Any] = found["result"]
        return told


def plain_outcome(found: Mapping[str, Any]) -> RuleOutcome:
    """What zen-engine returned, as our table says it; rows have no name there, and their tag stands for them."""
    tags = tuple(found.get("tags") or ())
    priority = found.get("priority")
    return RuleOutcome(
        action=Action(found.get("action") or "none"),
        priority=Priority(priority) if priority else None,
        skill=found.get("skill"),
        template=found.get("template"),
        tags=tags,
        notify=tuple(found.get("notify") or ()),
        rows=tuple(tag.replace("t", "r", 1) for tag in tags),
    )


# ---- measuring ----


def measure(size: int, known: KnownNames, *, messages: int, seed: int) -> Measured:
    """All figures for ``size`` rows."""
    random = Random(seed)
    rows, drawn = draw_rows(size, known, random), draw_messages(messages, known, random)
    texts = [document_of(rows[start : start + MOST_ROWS], known) for start in range(0, size, MOST_ROWS)]
    start = perf_counter()
    compiled = [compile_rules(text, known=known) for text in texts]
    compile_ms = 1000 * (perf_counter() - start)
    columns = input_columns(known)
    plain = [Plain(text, columns) for text in texts]
    urgency = {rule.outcome.rows: rule.urgency for rules in compiled for rule in rules.rules}

    ways: list[Callable[[RuleInput], RuleOutcome]] = [
        lambda seen: _filled([plain_outcome(each.evaluate(seen)) for each in plain], urgency),
        lambda seen: combined(compiled, seen),
        lambda seen: combined(compiled, seen),
    ]
    (by_zen, first, again), disagree, fired = _in_turn(ways, drawn)
    return Measured(
        size,
        len(texts),
        zen_us=_figures(by_zen),
        compiled_us=_figures(first),
        remembered_us=_figures(again),
        compile_ms=round(compile_ms, 1),
        messages=len(drawn),
        fired=round(fired / len(drawn), 3),
        disagree=disagree,
    )


def _in_turn(ways: Sequence[Callable[[RuleInput], RuleOutcome]], drawn: Sequence[RuleInput]) -> tuple[list[list[float]], int, int]:
    """Microseconds of each way and message, messages not decided alike, and those for which a row held."""
    spent: list[list[float]] = [[] for _ in ways]
    disagree = fired = 0
    gc.disable()
    try:
        for seen in drawn:
            found = []
            for times, way in zip(spent, ways, strict=True):
                start = perf_counter()
                found.append(way(seen))
                times.append(1e6 * (perf_counter() - start))
            disagree += any(each != found[0] for each in found)
            fired += bool(found[0].rows)
    finally:
        gc.enable()
    return spent, disagree, fired


def _filled(outcomes: Sequence[RuleOutcome], urgency: Mapping[tuple[str, ...], tuple[int, int]]) -> RuleOutcome:
    """What several files set together, the most urgent row first."""
    found = RuleOutcome()
    for outcome in sorted((outcome for outcome in outcomes if outcome.rows), key=lambda outcome: urgency[outcome.rows], reverse=True):
        found = found.filled_from(outcome)
    return found


def _figures(times: Sequence[float]) -> tuple[float, float, float]:
    ordered = sorted(times)
    return round(ordered[0], 1), round(ordered[len(ordered) // 2], 1), round(ordered[int(0.99 * (len(ordered) - 1))], 1)


def _some(names: Sequence[str], most: int, random: Random) -> list[str]:
    return random.sample(names, min(most, len(names)))


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


# ---- telling ----


def report(rows: Sequence[Measured], machine: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    lines = [
        "# Rules",
        "",
        f"`python -m evaluation.bench.rules`; {machine['processor']}, cores used: {machine['cores_used']}; {versions}.",
        "Microseconds of a message: least / median / 99th percentile. `zen-engine`: the rule file as it is, `create_decision` and",
        "`evaluate`. `compiled`: our table, a message that it never saw. `remembered`: the same message again.",
        "",
        "| rows | files | zen-engine | compiled | remembered | compile and check, ms | a row held | not decided alike |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        times = " | ".join(" / ".join(f"{each:g}" for each in found) for found in (row.zen_us, row.compiled_us, row.remembered_us))
        alike = f"{row.disagree} of {row.messages:,}"
        lines.append(f"| {row.rows:,} | {row.files} | {times} | {row.compile_ms:g} | {100 * row.fired:.0f} % | {alike} |")
    budget = next((row for row in rows if row.rows == BUDGET_ROWS), None)
    if budget:
        verdict = "kept" if budget.compiled_us[1] <= BUDGET_US else "missed"
        lines += ["", f"Budget: {BUDGET_US:g} µs a message with {BUDGET_ROWS} rows; {verdict} (median {budget.compiled_us[1]:g} µs)."]
    return "\n".join(lines) + "\n"


def machine_of() -> dict[str, Any]:
    """Processor, cores that this process may use, and versions."""
    packages = {"zen-engine": version("zen-engine"), "yingda": version("yingda"), "Python": platform.python_version()}
    return {**read_machine(), "cores_used": len(os.sched_getaffinity(0)), "versions": packages}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every size and write ``rules.json`` and ``rules.md``; 1 where outcomes differ, 2 where the bundle cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.bench.rules", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("models/current"), help="whose pack the names are taken from")
    parser.add_argument("--out", type=Path, default=Path("reports/bench"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1_000])
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args(argv)
    try:
        knowledge = read_knowledge(args.bundle / layout.KNOWLEDGE)
    except (YingdaError, OSError) as error:
        parser.exit(2, f"{args.bundle}: no readable bundle ({type(error).__name__}); name one with --bundle\n")
    known = known_names(knowledge, skills=knowledge.handoff.skills)
    rows = [measure(size, known, messages=args.messages, seed=args.seed) for size in args.sizes]
    args.out.mkdir(parents=True, exist_ok=True)
    machine = machine_of()
    (args.out / "rules.json").write_text(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=2) + "\n", "utf-8")
    (args.out / "rules.md").write_text(report(rows, machine), "utf-8")
    sys.stdout.write(report(rows, machine))
    return 1 if any(row.disagree for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())

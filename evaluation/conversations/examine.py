"""Whole conversations as one examination for report and gates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType

from evaluation.conversations.play import Played, play
from evaluation.conversations.scenario import Scenario
from evaluation.examination import SHOWN, Examination, Example
from evaluation.metrics import share
from evaluation.tables import interval_cell, table
from yingda.dialogue import Decider

NAME = "conversations"
"""Name of the examination."""

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "conversations_passed": "Share of written conversations in which every turn came to what is expected.",
        "turns_passed": "Share of their turns that came to what is expected: outcome, entry, reasons of hand-off, priority.",
        "handoffs_right": "Share of turns handed off, or expected to be, that were handed off for exactly the expected reasons.",
    }
)
"""Every measure and its definition in one sentence."""


def examine_conversations(engine: Decider, scenarios: Sequence[Scenario], *, tick: Callable[[], None]) -> Examination:
    """How ``engine`` keeps whole conversations; facts and page quote their texts, so they must be public."""
    return judge_played(play(engine, scenarios, tick=tick))


def judge_played(played: Sequence[Sequence[Played]]) -> Examination:
    """The examination of conversations that were ``played``."""
    turns = list(chain.from_iterable(played))
    handed = [turn for turn in turns if turn.concerns_handoff]
    measures = {
        "conversations_passed": share([not any(turn.wrong for turn in each) for each in played]),
        "turns_passed": share([not turn.wrong for turn in turns]),
        "handoffs_right": share([not turn.handed_wrongly for turn in handed]),
    }
    failures = [turn for turn in turns if turn.wrong]
    facts = {"conversations": len(played), "turns": len(turns), "failures": [_told(turn) for turn in failures]}
    page = [f"{name}: {interval_cell(measure)}" for name, measure in measures.items()]
    missing = "" if played else "the pack has no conversations"
    told = tuple(_example(turn) for turn in failures[:SHOWN])
    handed_wrongly = tuple(_example(turn) for turn in handed if turn.handed_wrongly)
    examples = {"conversations_passed": told, "turns_passed": told, "handoffs_right": handed_wrongly[:SHOWN]}
    return Examination(NAME, measures, facts, ["\n".join(page) + "\n", *_failures(failures)], missing, examples)


def workload(scenarios: Sequence[Scenario]) -> int:
    """Calls of ``tick`` that an examination takes."""
    return sum(len(scenario.turns) for scenario in scenarios)


def _example(turn: Played) -> Example:
    return Example(f"{turn.scenario} · {turn.number}", turn.text, "; ".join(turn.wrong))


def _told(turn: Played) -> dict[str, object]:
    fields = {"conversation": turn.scenario, "turn": turn.number, "text": turn.text, "note": turn.note}
    return {**fields, "outcome": turn.outcome.value, "faq": turn.faq, "reasons": list(turn.reasons), "wrong": list(turn.wrong)}


def _failures(failures: Sequence[Played]) -> Iterator[str]:
    if not failures:
        yield "Every turn came to what is expected.\n"
        return
    rows = ((f"{turn.scenario} · {turn.number}", turn.text, "; ".join(turn.wrong), turn.note) for turn in failures)
    yield from table(("turn", "message", "what was not as expected", "why it is asked"), rows)

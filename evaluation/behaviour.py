"""Robustness and conversations of two engines, test by test: by how much they differ.

The tests are those of ``python -m evaluation``, each engine asked once. Tests of one message and turns of one conversation hang
together, so intervals draw whole messages, cases and conversations. A change of wording counts where both engines had the
message right before: one that answers more messages is not charged with the harder ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from types import MappingProxyType
from typing import Any

from evaluation.bootstrap import Tally, difference_intervals, shares
from evaluation.comparison import Difference, Part
from evaluation.conversations.examine import NAME as CONVERSATIONS
from evaluation.conversations.examine import judge_played
from evaluation.conversations.examine import workload as conversation_workload
from evaluation.conversations.play import Played, play
from evaluation.conversations.scenario import Scenario
from evaluation.examination import Examination
from evaluation.outcomes import Answerer
from evaluation.robustness.cases import Case
from evaluation.robustness.examine import Asked, ask, judge_asked
from evaluation.robustness.examine import workload as robustness_workload
from evaluation.robustness.fate import Fate
from evaluation.robustness.invariance import Perturbed
from evaluation.robustness.metrics import NAME as ROBUSTNESS
from evaluation.robustness.trials import Trial
from evaluation.rows import Row
from yingda.domain.knowledge import Taxonomy

EXAMINED = (ROBUSTNESS, CONVERSATIONS)
"""The examinations that a comparison makes, by the names that gates use."""

PERTURBED, CASES = "perturbed messages", "written cases"
"""Parts of robustness; the third part is that of the conversations."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one engine did with changes of wording, written cases and conversations."""

    asked: Asked
    played: Sequence[Sequence[Played]]

    @property
    def examinations(self) -> tuple[Examination, ...]:
        """As ``python -m evaluation`` has them, for gates."""
        return judge_asked(self.asked), judge_played(self.played)


@dataclass(frozen=True, slots=True)
class _Figure:
    """A share of pairs of tests: whether a pair counts, and whether one side of it is right."""

    counts: Callable[[Any, Any], bool]
    right: Callable[[Any], bool]


def observe(
    engine: Answerer, rows: Sequence[Row], cases: Sequence[Case], scenarios: Sequence[Scenario], *, tick: Callable[[], None]
) -> Behaviour:
    """Ask ``engine`` all of it; the texts are quoted, so they must be public. ``tick`` is called as often as ``workload`` says."""
    return Behaviour(ask(engine, rows, cases, tick=tick), play(engine, scenarios, tick=tick))


def workload(rows: Sequence[Row], cases: Sequence[Case], scenarios: Sequence[Scenario], taxonomy: Taxonomy) -> int:
    """Calls of ``tick`` that ``observe`` takes."""
    return robustness_workload(rows, cases, taxonomy) + conversation_workload(scenarios)


def behaviour_parts(champion: Behaviour, candidate: Behaviour) -> tuple[Part, ...]:
    """The differences over perturbed messages, written cases and conversations; a part without a test is left out."""
    messages: dict[str, list[tuple[Perturbed, Perturbed]]] = {}
    for pair in both_asked(champion, candidate):
        messages.setdefault(pair[0].before.row.place, []).append(pair)
    cases = [[pair] for pair in trial_pairs(champion, candidate)]
    talks = [list(zip(*pair, strict=True)) for pair in zip(champion.played, candidate.played, strict=True)]
    whole = [[pair] for pair in zip(champion.played, candidate.played, strict=True)]
    found = {
        f"{ROBUSTNESS}: {PERTURBED}": (len(messages), _tallies(list(messages.values()), _OF_MESSAGES)),
        f"{ROBUSTNESS}: {CASES}": (len(cases), _tallies(cases, _OF_CASES)),
        CONVERSATIONS: (len(talks), _joined(_tallies(whole, _OF_TALKS), _tallies(talks, _OF_TURNS))),
    }
    return tuple(_part(name, units, *sides) for name, (units, sides) in found.items() if units)


def both_asked(champion: Behaviour, candidate: Behaviour) -> Iterator[tuple[Perturbed, Perturbed]]:
    """The tests of messages whose best entry was right for both engines."""
    theirs = {(test.before.row.place, test.perturbation): test for test in candidate.asked.invariance.tests}
    for test in champion.asked.invariance.tests:
        other = theirs.get((test.before.row.place, test.perturbation))
        if other is not None:
            yield test, other


def trial_pairs(champion: Behaviour, candidate: Behaviour) -> Iterator[tuple[Trial, Trial]]:
    """Both sides' trials of each written case."""
    return zip(champion.asked.tried, candidate.asked.tried, strict=True)


def turn_pairs(champion: Behaviour, candidate: Behaviour) -> Iterator[tuple[Played, Played]]:
    """Both sides of each turn of the conversations."""
    for talks in zip(champion.played, candidate.played, strict=True):
        yield from zip(*talks, strict=True)


def _always(_before: Any, _after: Any) -> bool:
    return True


def _unmisled(test: Perturbed) -> bool:
    return test.fate is not Fate.WRONG


def is_right(test: Perturbed | Trial) -> bool:
    """True when the engine did what was expected."""
    return test.fate is Fate.RIGHT


def _accepted(before: Perturbed, after: Perturbed) -> bool:
    return before.was_accepted and after.was_accepted


_OF_MESSAGES: Mapping[str, _Figure] = MappingProxyType(
    {
        "invariance": _Figure(_accepted, _unmisled),
        "invariance_kept": _Figure(_accepted, is_right),
        "invariance_all": _Figure(_always, _unmisled),
        "best_kept": _Figure(_always, lambda test: test.after.best_right),
    }
)
_OF_CASES: Mapping[str, _Figure] = MappingProxyType(
    {
        "directional": _Figure(lambda before, _: before.case.is_directional, is_right),
        "minimum_function": _Figure(lambda before, _: not before.case.is_directional, is_right),
    }
)
_OF_TALKS: Mapping[str, _Figure] = MappingProxyType(
    {"conversations_passed": _Figure(_always, lambda turns: not any(turn.wrong for turn in turns))}
)
_OF_TURNS: Mapping[str, _Figure] = MappingProxyType(
    {
        "turns_passed": _Figure(_always, lambda turn: not turn.wrong),
        "handoffs_right": _Figure(lambda a, b: a.concerns_handoff or b.concerns_handoff, lambda turn: not turn.handed_wrongly),
    }
)

Sides = tuple[dict[str, Tally], dict[str, Tally]]


def _tallies(units: Sequence[Sequence[tuple[Any, Any]]], figures: Mapping[str, _Figure]) -> Sides:
    """The counts of champion and candidate, a row a unit."""
    sides: Sides = ({}, {})
    for name, figure in figures.items():
        counted = [[pair for pair in unit if figure.counts(*pair)] for unit in units]
        tests = [len(unit) for unit in counted]
        for side, found in enumerate(sides):
            found[name] = shares([sum(figure.right(pair[side]) for pair in unit) for unit in counted], tests)
    return sides


def _joined(one: Sides, other: Sides) -> Sides:
    return one[0] | other[0], one[1] | other[1]


def _part(name: str, units: int, before: Mapping[str, Tally], after: Mapping[str, Tally]) -> Part:
    intervals = difference_intervals(before, after)
    differences = {metric: Difference(metric, _value(before[metric]), _value(after[metric]), intervals[metric]) for metric in before}
    return Part(name, units, MappingProxyType(differences))


def _value(tally: Tally) -> float | None:
    """The share over all units; None where nothing counts, for which the tally has NaN."""
    value = tally.value()
    return None if isnan(value) else value

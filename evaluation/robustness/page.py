"""What the report says about robustness, as lines of Markdown without the heading."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence

from evaluation.robustness import trials
from evaluation.robustness.fate import Failure, Fate, Tally
from evaluation.robustness.invariance import Invariance
from evaluation.robustness.perturbations import PERTURBATIONS
from evaluation.robustness.trials import Trial
from evaluation.tables import interval_cell, table

SHOWN = 40
"""Failures listed; the JSON report holds all of them."""

_SOURCE = (
    "Behavioural tests after M. T. Ribeiro, T. Wu, C. Guestrin, S. Singh, "
    '"Beyond Accuracy: Behavioral Testing of NLP Models with CheckList", ACL 2020.'
)


def write_page(invariance: Invariance, tried: Sequence[Trial]) -> list[str]:
    """One table a sort of test, and the failures: hard ones first, of every kind in turn."""
    found = [*invariance.failures(), *trials.failures(tried)]
    return [
        *_reading(),
        *_invariance(invariance),
        *_cases(trials.tallies(tried)),
        *_failures(found),
    ]


def _reading() -> Iterator[str]:
    yield f"{_SOURCE} Wrong is a hard failure; silent, no automatic answer where one is due, a soft one. In brackets the"
    yield "two-sided 95 % Wilson interval; perturbations of one message hang together, so that of their total is too narrow.\n"


def _invariance(invariance: Invariance) -> Iterator[str]:
    yield f"Invariance: of {invariance.drawn} test messages drawn the right entry was the best one for {invariance.best_right_before},"
    yield f"which were perturbed, and accepted for {invariance.perturbed}, which are counted here; the last two columns hold all. Where"
    yield "the best entry stays right, silence is a want of confidence and no confusion.\n"
    counted = [found for found in invariance.tallies() if invariance.unmisled(found.kind).n]
    rows = (
        (
            *_cells(found),
            interval_cell(invariance.best_right(found.kind)),
            interval_cell(invariance.unmisled(found.kind)),
            interval_cell(invariance.best_kept(found.kind)),
            inspect.getdoc(PERTURBATIONS[found.kind]) or "",
        )
        for found in counted
    )
    titles = ("perturbation", "messages", *(fate.value for fate in Fate), "best entry right", "all: not misled", "all: best entry right")
    yield from table((*titles, "what it does"), rows)


def _cases(counted: Sequence[Tally]) -> Iterator[str]:
    if not counted:
        yield "The pack has no written cases.\n"
        return
    yield "Written cases: pairs are directional tests, single messages minimum-function tests. A pair whose first message the engine"
    yield "does not act on is silent, whatever comes of the second.\n"
    yield from table(("kind", "cases", *(fate.value for fate in Fate)), (_cells(found) for found in counted))


def _cells(found: Tally) -> tuple[str, ...]:
    return (found.kind, str(found.tests), *(interval_cell(found.shares[fate]) for fate in Fate))


def _failures(found: Sequence[Failure]) -> Iterator[str]:
    if not found:
        yield "No test failed.\n"
        return
    shown = in_turn([failure for failure in found if failure.fate is Fate.WRONG])
    shown += in_turn([failure for failure in found if failure.fate is not Fate.WRONG])
    yield f"Failures: {min(SHOWN, len(shown))} of {len(shown)} are shown, hard ones first.\n"
    rows = (
        (failure.fate.value, failure.kind, failure.name, failure.before or "–", failure.after, failure.expected, failure.came)
        for failure in shown[:SHOWN]
    )
    yield from table(("failure", "kind", "where", "before", "asked", "expected", "came"), rows)


def in_turn(found: Sequence[Failure]) -> list[Failure]:
    """The first of every kind, then the second of every kind, and so on, so that no kind hides another."""
    kinds: dict[str, list[Failure]] = {}
    for failure in found:
        kinds.setdefault(failure.kind, []).append(failure)
    longest = max((len(part) for part in kinds.values()), default=0)
    return [part[place] for place in range(longest) for part in kinds.values() if place < len(part)]

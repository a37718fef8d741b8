"""Invariance tests: a message the engine gets right, perturbed, must still be got right.

A message whose best entry is right but not accepted is perturbed, too: no answer was given, and no wrong one may come.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from evaluation.metrics import Measure, share
from evaluation.outcomes import Answerer, Judged, judge
from evaluation.robustness.fate import Failure, Fate, Tally, describe, sent, tally
from evaluation.robustness.perturbations import PERTURBATIONS, SEED, perturb, story
from evaluation.rows import Row
from evaluation.weakest import weakest
from yingda.domain.decision import Outcome
from yingda.domain.knowledge import Taxonomy

DRAWN = 270
"""Messages drawn; those whose best entry is right are perturbed, some 150 of them accepted when it accepts every other one."""

FEWEST_TESTS = 20
"""Tests from which a perturbation is looked at alone; with fewer, chance decides too much."""

STORY = story.__name__
"""The perturbation by which most is lost: it is looked at apart, or it would hide what becomes of the others."""

_SMALL_TALK = "none"
"""Kind of intents such as greetings, which an order number or a story before them turns into something else."""

_HAN = re.compile("[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Perturbed:
    """A message as it was and as it became, with what the engine made of both."""

    perturbation: str
    before: Judged
    after: Judged

    @property
    def was_accepted(self) -> bool:
        """True when the engine stood behind the right entry before; else it was its best one, no more."""
        return self.before.accepted_right

    @property
    def fate(self) -> Fate:
        """Wrong when a wrong entry is sent; silent when no right one is accepted, or a person must send what was sent before.

        Where none was accepted before, nothing more than the right best entry is expected.
        """
        if sent(self.after.answer) is not None and not self.after.automatic_right:
            return Fate.WRONG
        if not self.was_accepted:
            return Fate.RIGHT if self.after.best_right else Fate.SILENT
        as_before = self.after.answer.outcome in (self.before.answer.outcome, Outcome.ANSWERED)
        return Fate.RIGHT if self.after.accepted_right and as_before else Fate.SILENT


@dataclass(frozen=True, slots=True)
class Invariance:
    """How many messages were drawn, for how many the engine accepted the right entry, and for how many it was the best one.

    ``tests`` holds every perturbation of the latter, those of messages that were accepted rightly among them.
    """

    drawn: int
    perturbed: int
    best_right_before: int
    tests: tuple[Perturbed, ...]

    @property
    def accepted(self) -> list[Perturbed]:
        """The tests of messages that were accepted rightly."""
        return [test for test in self.tests if test.was_accepted]

    def fates(self) -> list[Fate]:
        """One a test of a message that was accepted rightly, in order."""
        return [test.fate for test in self.accepted]

    def tallies(self) -> list[Tally]:
        """One a perturbation of the messages that were accepted rightly, in the order of PERTURBATIONS."""
        return [tally(name, [test.fate for test in self.accepted if test.perturbation == name]) for name in PERTURBATIONS]

    def least_kept(self) -> Sequence[Perturbed]:
        """The tests of accepted messages of the perturbation, a story apart, that is borne worst; none where there are too few."""
        kinds = {name: self._accepted(name) for name in PERTURBATIONS if name != STORY}
        return weakest(kinds, lambda test: test.fate is Fate.RIGHT, fewest=FEWEST_TESTS)

    def stories(self) -> Sequence[Perturbed]:
        """The tests of accepted messages with a story before them; none where there are too few."""
        return weakest({STORY: self._accepted(STORY)}, lambda test: test.fate is Fate.RIGHT, fewest=FEWEST_TESTS)

    def best_right(self, perturbation: str) -> Measure:
        """Share of these whose best entry is right, accepted or not: where it is high, silence is a want of confidence alone."""
        return share([test.after.best_right for test in self.accepted if test.perturbation == perturbation])

    def unmisled(self, perturbation: str | None = None) -> Measure:
        """Share of all tests, or of those of one perturbation, that are not answered with a wrong entry."""
        return share([test.fate is not Fate.WRONG for test in self._of(perturbation)])

    def best_kept(self, perturbation: str | None = None) -> Measure:
        """Share of all tests, or of those of one perturbation, whose best entry is still right."""
        return share([test.after.best_right for test in self._of(perturbation)])

    def failures(self) -> list[Failure]:
        """Every test that failed, in order; where no entry was accepted before, a wrong answer alone is a failure."""
        return [as_failure(test) for test in self.tests if test.fate is Fate.WRONG or (test.was_accepted and test.fate is Fate.SILENT)]

    def _accepted(self, perturbation: str) -> list[Perturbed]:
        return [test for test in self.accepted if test.perturbation == perturbation]

    def _of(self, perturbation: str | None) -> list[Perturbed]:
        return [test for test in self.tests if perturbation in (None, test.perturbation)]


def draw(rows: Sequence[Row], taxonomy: Taxonomy) -> tuple[Row, ...]:
    """At most DRAWN Chinese messages that an entry answers, small talk left out; the same ones whatever the order of ``rows``.

    They are the first by a seeded digest of their text, so that a row added to the pack replaces at most one of them.
    """
    suitable = (row for row in rows if _is_suitable(row, taxonomy))
    return tuple(sorted(suitable, key=lambda row: (sha256(f"{SEED}/{row.text}".encode()).digest(), row.place))[:DRAWN])


def examine_invariance(engine: Answerer, rows: Sequence[Row], *, tick: Callable[[], None]) -> Invariance:
    """Ask every message of ``rows``, then every perturbation of those whose best entry is right.

    ``tick`` is called as often as ``invariance_workload`` says, also for perturbations that need not be asked.
    """
    befores, tests = [], []
    for row in rows:
        before, variants = judge(engine, [row], tick=tick)[0], perturb(row.text)
        if not before.best_right:
            for _ in variants:
                tick()
            continue
        befores.append(before)
        after = judge(engine, (replace(row, text=text) for text in variants.values()), tick=tick)
        tests += [Perturbed(name, before, judged) for name, judged in zip(variants, after, strict=True)]
    return Invariance(len(rows), sum(before.accepted_right for before in befores), len(befores), tuple(tests))


def invariance_workload(rows: Sequence[Row]) -> int:
    """Calls of ``tick`` that examining ``rows`` takes."""
    return sum(1 + len(perturb(row.text)) for row in rows)


def _is_suitable(row: Row, taxonomy: Taxonomy) -> bool:
    if row.language not in (None, "zh") or not _HAN.search(row.text) or (row.faq is None and not row.also):
        return False
    intent = None if row.intent is None else taxonomy.intents.get(row.intent)
    return intent is None or intent.kind != _SMALL_TALK


def as_failure(test: Perturbed) -> Failure:
    """The texts of ``test``, what was expected and what came."""
    row = test.before.row
    entries = dict.fromkeys([*([] if row.faq is None else [row.faq]), *row.also])
    return Failure(
        kind=test.perturbation,
        name=row.place,
        fate=test.fate,
        before=row.text,
        after=test.after.row.text,
        expected=f"{test.before.answer.outcome.value}, {' or '.join(entries)}",
        came=describe(test.after.answer),
    )

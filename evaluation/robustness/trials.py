"""Directional and minimum-function tests: each case is put to the engine and held against what it expects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluation.outcomes import Answerer
from evaluation.robustness.cases import Case, CaseKind
from evaluation.robustness.fate import Failure, Fate, Tally, describe, sent, tally
from yingda.domain.decision import Answer, Outcome, Reason
from yingda.domain.knowledge import DISPLEASED, Sentiment
from yingda.domain.message import Message

_UPSET = (Sentiment.POSITIVE, Sentiment.NEUTRAL, Sentiment.NEGATIVE, Sentiment.ANGRY)
"""From the calmest to the angriest."""

_ACTS = frozenset({Outcome.ANSWERED, Outcome.HANDOFF})
"""Outcomes by which the engine does something; the others leave the customer to go on."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A case and the engine's answers to its messages, in order."""

    case: Case
    answers: tuple[Answer, ...]

    @property
    def last(self) -> Answer:
        """The answer to the message examined."""
        return self.answers[-1]

    @property
    def fate(self) -> Fate:
        """Wrong when the engine does what it must not; silent when it does nothing, or calls a person, where an answer is due.

        Silent also when it did not do to the first message of a pair what the change should undo: who never does anything
        changes nothing rightly.
        """
        if self._does_wrong():
            return Fate.WRONG
        if self.case.is_directional and not self.heard:
            return Fate.SILENT
        due = bool(self.case.answers) and sent(self.last) is None and not self._goes_to_a_person_rightly()
        return Fate.SILENT if due or self.last.outcome in self.case.outcome_not else Fate.RIGHT

    @property
    def heard(self) -> bool:
        """True when the engine took the first message for what it is, so that the second has something to change.

        It stood behind an entry that the second message rules out, or ended as the second must not. Where a customer is to
        stay upset, displeasure was seen in either message; where the case names nothing of this, any entry will do.
        """
        first = self.answers[0]
        if self.case.never:
            return first.accepted is not None and first.accepted.id in self.case.never
        if self.case.outcome_not:
            return first.outcome in self.case.outcome_not
        if self.case.stays_upset:
            return any(answer.classification.sentiment.label in DISPLEASED for answer in self.answers)
        return first.accepted is not None

    def _goes_to_a_person_rightly(self) -> bool:
        """True when the engine stands behind a right entry of those that the pack leaves to a person."""
        accepted = self.last.accepted
        return accepted is not None and accepted.id in self.case.answers and Reason.NEEDS_HUMAN in self.last.handoff.reasons

    def _does_wrong(self) -> bool:
        entry, outcome = sent(self.last), self.last.outcome
        wrong_entry = entry is not None and (entry in self.case.never or (bool(self.case.answers) and entry not in self.case.answers))
        return wrong_entry or (outcome in self.case.outcome_not and outcome in _ACTS) or self._mood_moved()

    def _mood_moved(self) -> bool:
        moods = [_UPSET.index(answer.classification.sentiment.label) for answer in self.answers]
        return (self.case.stays_upset and moods[-1] < moods[0]) or (self.case.stays_calm and moods[-1] > moods[0])


def try_cases(engine: Answerer, cases: Sequence[Case], *, tick: Callable[[], None]) -> tuple[Trial, ...]:
    """One trial a case, in order; messages go in one at a time and ``tick`` is called after each."""
    trials = []
    for case in cases:
        answers = []
        for text in case.texts:
            answers.append(engine.answer_many([Message(text)])[0])
            tick()
        trials.append(Trial(case, tuple(answers)))
    return tuple(trials)


def tallies(trials: Sequence[Trial]) -> list[Tally]:
    """One a kind that occurs, in the order of CaseKind."""
    kinds = {trial.case.kind for trial in trials}
    return [tally(kind.value, [trial.fate for trial in trials if trial.case.kind is kind]) for kind in CaseKind if kind in kinds]


def failures(trials: Sequence[Trial]) -> list[Failure]:
    """Every trial that failed, in order."""
    return [_failure(trial) for trial in trials if trial.fate is not Fate.RIGHT]


def _failure(trial: Trial) -> Failure:
    case = trial.case
    return Failure(case.kind.value, case.id, trial.fate, case.before, case.text, _expected(case), _came(trial))


def _expected(case: Case) -> str:
    parts = [
        " or ".join(case.answers),
        f"not {', '.join(case.never)}" if case.never else "",
        f"outcome not {', '.join(case.outcome_not)}" if case.outcome_not else "",
        "mood not calmer" if case.stays_upset else "",
        "mood not angrier" if case.stays_calm else "",
    ]
    return "; ".join(part for part in parts if part)


def _came(trial: Trial) -> str:
    if not (trial.case.stays_upset or trial.case.stays_calm):
        return describe(trial.last)
    first, last = (answer.classification.sentiment.label.value for answer in (trial.answers[0], trial.last))
    return f"{describe(trial.last)}; mood {last} after {first}"

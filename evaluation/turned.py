"""What two engines handle otherwise: turns of conversations, written cases, and messages whose wording was changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evaluation.behaviour import Behaviour, both_asked, is_right, trial_pairs, turn_pairs
from evaluation.conversations.examine import NAME as CONVERSATIONS
from evaluation.conversations.play import Played
from evaluation.robustness.fate import describe, sent


@dataclass(frozen=True, slots=True)
class Handled:
    """What came of a test, and whether it was as expected."""

    came: str
    right: bool


@dataclass(frozen=True, slots=True)
class Turned:
    """A test that the two engines handle differently; ``before`` is the first message of a pair, None where there is but one."""

    kind: str
    place: str
    before: str | None
    text: str
    champion: Handled
    candidate: Handled


def turned(champion: Behaviour, candidate: Behaviour) -> tuple[Turned, ...]:
    """Turns and cases that end otherwise, then perturbed messages of another fate, in the order they were asked."""
    return (*_turned_turns(champion, candidate), *_turned_cases(champion, candidate), *_turned_messages(champion, candidate))


def _turned_turns(champion: Behaviour, candidate: Behaviour) -> Iterator[Turned]:
    for before, after in turn_pairs(champion, candidate):
        ends = (_end(before), _end(after))
        if (ends[0], before.wrong) != (ends[1], after.wrong):
            one, other = (Handled(end, not turn.wrong) for end, turn in zip(ends, (before, after), strict=True))
            yield Turned(CONVERSATIONS, f"{before.scenario} · {before.number}", None, before.text, one, other)


def _turned_cases(champion: Behaviour, candidate: Behaviour) -> Iterator[Turned]:
    for pair in trial_pairs(champion, candidate):
        before, after = ((trial.fate, trial.last.outcome, sent(trial.last)) for trial in pair)
        if before != after:
            one, other = (Handled(f"{trial.fate}: {describe(trial.last)}", is_right(trial)) for trial in pair)
            case = pair[0].case
            yield Turned(case.kind.value, case.id, case.before, case.text, one, other)


def _turned_messages(champion: Behaviour, candidate: Behaviour) -> Iterator[Turned]:
    for pair in both_asked(champion, candidate):
        if pair[0].fate is not pair[1].fate:
            one, other = (Handled(f"{test.fate}: {describe(test.after.answer)}", is_right(test)) for test in pair)
            row = pair[0].before.row
            yield Turned(pair[0].perturbation, row.place, row.text, pair[0].after.row.text, one, other)


def _end(turn: Played) -> str:
    """``handoff, complaint`` or ``answered ship-when``."""
    said = turn.outcome.value if turn.faq is None else f"{turn.outcome.value} {turn.faq}"
    return ", ".join([said, *turn.reasons])

"""What became of one test, the same three ways for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from evaluation.metrics import Measure, share
from yingda.domain.decision import Answer, Outcome


class Fate(StrEnum):
    """Right: what was expected. Silent: a soft failure, no answer where one was due. Wrong: a hard failure."""

    RIGHT = "right"
    SILENT = "silent"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that failed: of which kind, the texts before (None where there is but one) and after, and what came."""

    kind: str
    name: str
    fate: Fate
    before: str | None
    after: str
    expected: str
    came: str


@dataclass(frozen=True, slots=True)
class Tally:
    """Tests of one kind: share of each fate, with its 95 % Wilson interval."""

    kind: str
    tests: int
    shares: dict[Fate, Measure]


def tally(kind: str, fates: Sequence[Fate]) -> Tally:
    """The shares among ``fates``."""
    return Tally(kind, len(fates), {fate: share([found is fate for found in fates]) for fate in Fate})


def sent(answer: Answer) -> str | None:
    """The entry the customer got without a person; None when there was none."""
    return answer.faq.id if answer.outcome is Outcome.ANSWERED and answer.faq is not None else None


def describe(answer: Answer) -> str:
    """``answered ship-when (0.98)``, or the outcome with the best entry and how sure the engine is of it."""
    best = answer.candidates[0] if answer.candidates else None
    if best is None:
        return answer.outcome.value
    word = "" if answer.outcome is Outcome.ANSWERED else "best "
    return f"{answer.outcome.value}, {word}{best.id} ({best.confidence:.2f})"

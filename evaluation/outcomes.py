"""One pass of the engine over labelled rows; every metric reads its result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Protocol

from evaluation.errors import EvaluationError
from evaluation.rows import Row
from yingda.domain.conversation import ConversationState
from yingda.domain.decision import Answer, Candidate, Outcome
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import Knowledge
from yingda.domain.message import Message


class Answerer(Protocol):
    """The part of the engine that is examined."""

    @property
    def identity(self) -> ModelIdentity: ...

    @property
    def knowledge(self) -> Knowledge: ...

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None, /) -> list[Answer]: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """A row, what the engine made of it, and whether that was right."""

    row: Row
    answer: Answer

    @property
    def intent_right(self) -> bool:
        """True when the best intent is the labelled one, whether or not the engine would act on it."""
        return self.answer.classification.intent.code == self.row.intent

    @property
    def sentiment_right(self) -> bool:
        """True when the mood seen is the labelled one."""
        return self.answer.classification.sentiment.label is self.row.sentiment

    @property
    def best(self) -> Candidate | None:
        """The best entry, accepted or not."""
        return self.answer.candidates[0] if self.answer.candidates else None

    @property
    def best_right(self) -> bool:
        """True when the best entry would answer the message; false where no entry does."""
        return self.best is not None and self.row.accepts(self.best.id)

    @property
    def best_confidence(self) -> float:
        """Confidence of the best entry; 0 when there is none."""
        return 0.0 if self.best is None else self.best.confidence

    @property
    def accepted(self) -> bool:
        """True when the engine stands behind an entry."""
        return self.answer.accepted is not None

    @property
    def accepted_right(self) -> bool:
        """True when the entry it stands behind is right."""
        return self.answer.accepted is not None and self.row.accepts(self.answer.accepted.id)

    @property
    def automatic(self) -> bool:
        """True when the customer got an answer without a person."""
        return self.answer.outcome is Outcome.ANSWERED

    @property
    def automatic_right(self) -> bool:
        """True when the entry that was sent is right; an answer without an entry is not."""
        return self.automatic and self.answer.faq is not None and self.row.accepts(self.answer.faq.id)


@dataclass(frozen=True, slots=True)
class Scored:
    """How sure the engine was [N], and whether it was right [N]."""

    confidence: list[float]
    right: list[bool]


def judge(engine: Answerer, rows: Iterable[Row], *, tick: Callable[[], None]) -> list[Judged]:
    """One Judged a row, in order; ``tick`` is called after each.

    Messages go in one at a time, so that the time measured is the time one customer waits. Raises EvaluationError where a
    confidence is no number: compared with a threshold it would pass for a low one, and every figure over it would be worthless.
    """
    judged = []
    for row in rows:
        answer = engine.answer_many([Message(row.text)])[0]
        if not all(isfinite(confidence) for confidence in _confidences(answer)):
            raise EvaluationError(f"{row.place}: a confidence of the engine is no number; rebuild the bundle with `dvc repro`")
        judged.append(Judged(row, answer))
        tick()
    return judged


def _confidences(answer: Answer) -> Iterator[float]:
    yield answer.classification.intent.confidence
    yield answer.classification.sentiment.confidence
    yield from (candidate.confidence for candidate in answer.candidates)

"""Past turns and a decider whose every answer a test can foresee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from yingda.domain.conversation import NEW, Asked, ConversationState
from yingda.domain.decision import (
    Acceptance,
    Answer,
    Candidate,
    Classification,
    Handoff,
    IntentScore,
    LanguageGuess,
    Outcome,
    Reason,
    Reply,
    ReplyParts,
    SentimentScore,
    Timing,
)
from yingda.domain.knowledge import Priority, Sentiment
from yingda.domain.message import Message
from yingda.replay.records import PastTurn, Seen
from yingda.replay.run import Run, Step, replay_here
from yingda.replay.verify import AGAIN, CURRENT

START = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)


def make_answer(text: str, state: ConversationState, *, patience: int = 2) -> Answer:
    """怎么 is answered, 人 goes to a person, anything else is not understood; ``patience`` of those in a row call a person.

    A standing hand-off stays until it is released.
    """
    undecided = 0 if text[0] in "怎人" else state.undecided + 1
    reasons = (Reason.REQUESTED,) if text.startswith("人") else (Reason.LOW_CONFIDENCE,) if undecided >= patience else ()
    standing = state.standing or (Handoff(True, reasons, "order", Priority.HIGH) if reasons else None)
    outcome = Outcome.HANDOFF if standing else Outcome.ANSWERED if text.startswith("怎") else Outcome.NO_ANSWER
    best = Candidate("how", 0.9 if text.startswith("怎") else 0.2, 0.7)
    intent = IntentScore("GENERAL_HUMAN" if text.startswith("人") else "ORDER_CANCEL", 0.8125)
    feeling = SentimentScore(Sentiment.NEUTRAL, 0.75, {Sentiment.NEUTRAL: 0.75})
    return Answer(
        outcome=outcome,
        reply=Reply(f"回复{outcome}", ReplyParts("", "", f"回复{outcome}", "", ""), "t", "1", "zh"),
        faq=best if outcome is Outcome.ANSWERED else None,
        accepted=None,
        candidates=(best,),
        classification=Classification(
            LanguageGuess("zh", 1.0), intent, Acceptance.ACCEPT, (intent,), feeling, Priority.LOW, (), (), Timing(0.0, 0.0, 0.0, 0.0)
        ),
        missing=(),
        handoff=standing or Handoff(False, (), None, Priority.LOW),
        explanation=(),
        state=replace(state, undecided=undecided, standing=standing, question=Asked("how", text)),
    )


@dataclass
class FakeDecider:
    """Answers as ``make_answer`` does and remembers how large its batches were."""

    patience: int = 2
    batches: list[int] = field(default_factory=list)

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None) -> list[Answer]:
        """One answer a message."""
        self.batches.append(len(messages))
        known = states or [NEW] * len(messages)
        return [make_answer(message.text, state, patience=self.patience) for message, state in zip(messages, known, strict=True)]


def two_patiences() -> dict[str, FakeDecider]:
    """The configuration of today, and one that calls a person at once."""
    return {"current": FakeDecider(), "changed": FakeDecider(patience=1)}


def turn(conversation: str | None, number: int, text: str, **other: Any) -> PastTurn:
    """The message of minute ``number``."""
    turn_id = f"{conversation or 'alone'}-{number}"
    return PastTurn(turn_id, conversation, START + timedelta(minutes=number), text, **other)


def as_record(answer: Answer) -> dict[str, Any]:
    """The answer as the service tells it, as far as a replay reads it."""
    seen = Seen.of(answer)
    best = answer.candidates[0]
    return {
        "outcome": str(answer.outcome),
        "reply": {
            "text": answer.reply.text,
            "template": {"id": answer.reply.template_id, "version": answer.reply.template_version},
            "blocked": list(answer.reply.blocked),
        },
        "faq": {"id": answer.faq.id} if answer.faq else None,
        "candidates": [{"id": best.id, "confidence": best.confidence, "similarity": best.similarity}],
        "classification": {
            "intent": {"code": seen.intent, "confidence": answer.classification.intent.confidence},
            "sentiment": {"label": seen.sentiment, "confidence": answer.classification.sentiment.confidence},
        },
        "missing": list(answer.missing),
        "handoff": {
            "required": answer.handoff.required,
            "reasons": [str(reason) for reason in answer.handoff.reasons],
            "skill": answer.handoff.skill,
            "priority": str(answer.handoff.priority),
            "notify": list(answer.handoff.notify),
            "tags": list(answer.handoff.tags),
            "released": not answer.handoff.required and answer.state.standing is None,
        },
        "second_response": answer.second_response,
    }


def replayed(turns: list[PastTurn]) -> list[Step]:
    """``turns`` under both patiences."""
    return [step for steps in replay_here(two_patiences(), Run.of(turns).chunks) for step in steps]


def verified(turns: list[PastTurn]) -> list[Step]:
    """``turns`` twice under the same configuration."""
    decider = FakeDecider()
    return [step for steps in replay_here({CURRENT: decider, AGAIN: decider}, Run.of(turns).chunks) for step in steps]

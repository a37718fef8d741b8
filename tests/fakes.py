"""Stand-ins for the engine: they decide by simple rules, so that a test can foresee the result."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.decision import (
    Acceptance,
    Answer,
    Candidate,
    Classification,
    Entity,
    Handoff,
    IntentScore,
    KeywordHit,
    LanguageGuess,
    Outcome,
    Reason,
    Reply,
    ReplyParts,
    SentimentScore,
    Step,
    Timing,
)
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import (
    Category,
    FaqEntry,
    Intent,
    Knowledge,
    Policy,
    Priority,
    Sentiment,
    Taxonomy,
    TemplateSet,
)
from yingda.domain.message import Message

PERSON = "转人工"
"""A message with this in it is handed to a person."""

ENGLISH = "parcel"
"""A message with this in it is English."""


def fake_intent(code: str, category: str, zh: str, en: str) -> Intent:
    """An intent with only what a test looks at."""
    names = {"zh": zh, "en": en}
    return Intent(code, category, names, "consult", Priority.MEDIUM, "logistics", covers="…", excludes="…")


def fake_knowledge() -> Knowledge:
    """Two categories, three intents and one FAQ entry in two languages."""
    intents = [
        fake_intent("ORDER_LOGISTICS", "ORDER", "物流查询", "parcel tracking"),
        fake_intent("ORDER_CANCEL", "ORDER", "取消订单", "cancelling an order"),
        fake_intent("COMPLAINT_DELAY", "COMPLAINT", "投诉延误", "complaint about delay"),
    ]
    question = {"zh": "物流几天没更新", "en": "My parcel does not move"}
    return Knowledge(
        taxonomy=Taxonomy(
            version=1,
            categories=(
                Category("ORDER", {"zh": "订单问题", "en": "Order"}),
                Category("COMPLAINT", {"zh": "投诉", "en": "Complaint"}),
            ),
            intents={intent.code: intent for intent in intents},
        ),
        faq={"logistics-stuck": FaqEntry("logistics-stuck", "ORDER_LOGISTICS", question, {}, {"zh": "请稍等。"})},
        policy=Policy({}, {}),
        keywords=(),
        templates=TemplateSet("default", "1.0", {}, {}),
        digest="0" * 64,
    )


class FakeEngine:
    """Keeps the messages of each call in ``calls``; waits for ``gate``; raises ``failure`` when it is set."""

    def __init__(self, *, failure: Exception | None = None) -> None:
        self.identity = ModelIdentity("2026.11.1", "ab" * 32)
        self.knowledge = fake_knowledge()
        self.calls: list[tuple[Message, ...]] = []
        self.failure = failure
        self.gate = threading.Event()
        self.gate.set()

    @property
    def messages(self) -> list[Message]:
        """Every message of every call, in order."""
        return [message for call in self.calls for message in call]

    def classify_many(self, messages: Sequence[Message], *, top_k: int = 3) -> list[Classification]:
        """One classification for each message."""
        self._enter(messages)
        return [_classification(message, top_k) for message in messages]

    def warm_up(self) -> None:
        """Answer one message, as the real engine does."""
        self.answer_many([Message("你好")])

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None) -> list[Answer]:
        """One answer for each message; ``repeats`` counts the messages of a conversation."""
        self._enter(messages)
        return [_answer(message, state) for message, state in zip(messages, states or [NEW] * len(messages), strict=True)]

    def _enter(self, messages: Sequence[Message]) -> None:
        self.calls.append(tuple(messages))
        assert self.gate.wait(timeout=30), "the test never opened the gate"
        if self.failure is not None:
            raise self.failure


def _classification(message: Message, top_k: int) -> Classification:
    ranking = (
        IntentScore("ORDER_LOGISTICS", 0.97),
        IntentScore("COMPLAINT_DELAY", 0.02),
        IntentScore("ORDER_CANCEL", 0.01),
    )
    language = message.language or ("en" if ENGLISH in message.text else "zh")
    return Classification(
        language=LanguageGuess(language, 0.99),
        intent=ranking[0],
        decision=Acceptance.ACCEPT,
        ranking=ranking[:top_k],
        sentiment=SentimentScore(
            Sentiment.NEGATIVE,
            0.81,
            {Sentiment.POSITIVE: 0.01, Sentiment.NEUTRAL: 0.16, Sentiment.NEGATIVE: 0.81, Sentiment.ANGRY: 0.02},
        ),
        priority=Priority.MEDIUM,
        keywords=(KeywordHit("快递", "ORDER_LOGISTICS"),),
        entities=(Entity("order_no", "DD***0001", 3, 12),),
        timing=Timing(total=3.1, tokenize=0.1, encode=2.4, decide=0.3),
    )


def _answer(message: Message, state: ConversationState) -> Answer:
    classification = _classification(message, 3)
    best = Candidate("logistics-stuck", 0.96, 0.91)
    is_handoff = PERSON in message.text
    handoff = Handoff(is_handoff, (Reason.REQUESTED,) if is_handoff else (), "general" if is_handoff else None, Priority.MEDIUM)
    parts = ReplyParts("您好，", "", "请稍等。", "", "祝您愉快。")
    return Answer(
        outcome=Outcome.HANDOFF if is_handoff else Outcome.ANSWERED,
        reply=Reply(parts.text(), parts, "default", "1.0", classification.language.code),
        faq=None if is_handoff else best,
        accepted=best,
        candidates=(best,),
        classification=classification,
        missing=("order_no",),
        handoff=handoff,
        explanation=(Step("match", "logistics-stuck 0.96"),),
        state=replace(state, repeats=state.repeats + 1, standing=state.standing or (handoff if is_handoff else None), last_at=message.at),
    )

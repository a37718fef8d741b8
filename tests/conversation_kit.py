"""What the hand-off policy sees of a conversation, without any model: evidence for messages of every kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

from tests.pack_kit import RETAIL
from yingda.decide.evidence import Evidence
from yingda.decide.policy import Verdict, decide
from yingda.decide.thresholds import Thresholds
from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.decision import Acceptance, Candidate, Classification, Entity, IntentScore, LanguageGuess, SentimentScore, Timing
from yingda.domain.handoff import Words
from yingda.domain.knowledge import FaqEntry, Intent, Priority, Sentiment
from yingda.domain.message import Customer, Message, Tier
from yingda.pack.handoff import read_handoff
from yingda.pack.mistakes import MistakeLog
from yingda.pack.source import read_yaml

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
THRESHOLDS = Thresholds(match=0.7, intent=0.6, ambiguity=0.4, clarify=0.6, angry=0.6, angry_beside=0.8)
UNANSWERABLE = frozenset({"GENERAL_HUMAN", "GENERAL_UNRESOLVED", "ACCOUNT_SECURITY", "OUT_OF_SCOPE", "COMPLAINT_SERVICE"})
CALM, ANGRY = (SentimentScore(label, 0.9, {label: 0.9}) for label in (Sentiment.NEUTRAL, Sentiment.ANGRY))
DISPLEASED = SentimentScore(Sentiment.NEGATIVE, 0.4, {Sentiment.NEGATIVE: 0.4})

ENTRY_INTENTS = {
    "ship-when": "ORDER_SHIP_TIME",
    "return-how": "AFTER_SALES_RETURN",
    "general-human": "GENERAL_HUMAN",
    "general-unresolved": "GENERAL_UNRESOLVED",
    "general-greeting": "GENERAL_GREETING",
    "general-thanks": "GENERAL_THANKS",
    "complaint-service": "COMPLAINT_SERVICE",
    "praise": "FEEDBACK_PRAISE",
    "repair-dangerous": "AFTER_SALES_REPAIR",
}
NEEDS_HUMAN = frozenset({"general-human", "general-unresolved", "complaint-service", "repair-dangerous"})


def intent_of(code: str) -> Intent:
    """An intent whose skill group is its category in small letters."""
    category = code.rpartition("_")[0] or code
    return Intent(code, category, {"zh": code}, "consult", Priority.LOW, category.lower(), "", "", answerable=code not in UNANSWERABLE)


def entry_of(name: str) -> FaqEntry:
    """An entry with nothing but its intent."""
    return FaqEntry(name, ENTRY_INTENTS[name], {"zh": name}, {}, {"zh": name}, needs_human=name in NEEDS_HUMAN)


def said(
    text: str = "这件事",
    *,
    entry: str | None = None,
    intent: str | None = None,
    sure: bool = True,
    candidates: tuple[Candidate, ...] = (),
    sentiment: SentimentScore = CALM,
    tier: Tier = Tier.NORMAL,
    at: datetime | None = START,
    facts: tuple[str, ...] = (),
    complaint: float = 0.0,
) -> Evidence:
    """A message: ``entry`` was accepted, or only ``intent`` is known, and not even that when it is not ``sure``."""
    meant = intent_of(ENTRY_INTENTS[entry] if entry else intent or "ORDER_STATUS")
    found = candidates or ((Candidate(entry, 0.95, 0.9),) if entry else ())
    return Evidence(
        message=Message(text, customer=Customer("1", tier=tier), at=at),
        classification=Classification(
            language=LanguageGuess("zh", 1.0),
            intent=IntentScore(meant.code, 0.9),
            decision=Acceptance.ACCEPT if sure else Acceptance.ABSTAIN,
            ranking=(IntentScore(meant.code, 0.9),),
            sentiment=sentiment,
            priority=meant.priority,
            keywords=(),
            entities=tuple(Entity(fact, "***", 0, 1) for fact in facts),
            timing=Timing(0.0, 0.0, 0.0, 0.0),
        ),
        intent=meant,
        accepted=entry_of(entry) if entry else None,
        candidates=found,
        complaint=complaint,
        thresholds=THRESHOLDS,
        best=entry_of(found[0].id) if found and found[0].id in ENTRY_INTENTS else None,
    )


def mumbled(text: str = "那个啥事", **changes: object) -> Evidence:
    """Nothing can be decided about it."""
    return replace(said(text, sure=False), **changes)  # type: ignore[arg-type]


def nearly(entry: str) -> Evidence:
    """Not sure enough to answer, but ``entry`` is the best candidate and the best intent agrees."""
    return said(
        "那件事？", intent=ENTRY_INTENTS[entry], sure=False, candidates=(Candidate(entry, 0.45, 0.6), Candidate("another", 0.3, 0.5))
    )


def talk(*messages: Evidence, state: ConversationState = NEW) -> list[Verdict]:
    """The verdicts of a conversation, message by message."""
    verdicts = []
    for message in messages:
        verdicts.append(decide(replace(message, state=state)))
        state = verdicts[-1].state
    return verdicts


def after(*messages: Evidence, state: ConversationState = NEW) -> Verdict:
    """The verdict about the last message."""
    return talk(*messages, state=state)[-1]


SHIP = said("什么时候发货", entry="ship-when")
RETURN = said("怎么退货", entry="return-how")
HELLO = said("你好", entry="general-greeting")
THANKS = said("谢谢", entry="general-thanks")
SOLVED = said("谢谢，解决了", entry="general-thanks")
UNHAPPY = said("你说的不对吧", entry="general-unresolved")
WEATHER = said("今天天气怎么样", intent="OUT_OF_SCOPE")
HUMAN = said("转人工", entry="general-human")
COMPLAINT = said("客服骂我", entry="complaint-service")


@cache
def retail_words() -> Words:
    """The words of the retail pack."""
    log = MistakeLog()
    tree = read_yaml(RETAIL, "handoff.yaml", log)
    assert tree is not None
    words = read_handoff(tree, log).words
    log.raise_if_any()
    return words

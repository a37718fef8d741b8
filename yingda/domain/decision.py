"""What goes out: classification, match, decision and reply, each with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.labels import Priority, Sentiment
from yingda.domain.message import Channel
from yingda.domain.takeover import Handoff as Handoff
from yingda.domain.takeover import Reason as Reason


class Acceptance(StrEnum):
    """What the engine makes of its best intent."""

    ACCEPT = "accept"
    AMBIGUOUS = "ambiguous"
    ABSTAIN = "abstain"


class Outcome(StrEnum):
    """What happens to the message."""

    ANSWERED = "answered"
    CLARIFY = "clarify"
    HANDOFF = "handoff"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class LanguageGuess:
    """ISO 639-1 code (``und`` when unknown) and how sure the detector is, in [0, 1]."""

    code: str
    confidence: float


@dataclass(frozen=True, slots=True)
class IntentScore:
    """One intent with its calibrated probability."""

    code: str
    confidence: float


@dataclass(frozen=True, slots=True)
class SentimentScore:
    """The label that fits best, its calibrated probability, and the probability of every label."""

    label: Sentiment
    confidence: float
    scores: Mapping[Sentiment, float]


@dataclass(frozen=True, slots=True)
class KeywordHit:
    """A term of the keyword library found in the message; ``intent`` is what it speaks for."""

    text: str
    intent: str


FACTS_IN_TEXT = frozenset({"phone", "tracking_no", "order_no", "amount", "invoice_title", "address", "photo"})
"""Types of entity that a message is asked for; others are said in passing (time, carrier) or come with the request."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A fact found in the message, masked; offsets are characters of the original text, end exclusive."""

    type: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds spent a message (a batch's shared work is divided evenly)."""

    total: float
    tokenize: float
    encode: float
    decide: float

    def plus(self, decide: float) -> Timing:
        """This timing with ``decide`` milliseconds more of deciding."""
        return Timing(self.total + decide, self.tokenize, self.encode, self.decide + decide)

    def then(self, later: Timing) -> Timing:
        """Both times one after the other."""
        return Timing(self.total + later.total, self.tokenize + later.tokenize, self.encode + later.encode, self.decide + later.decide)


@dataclass(frozen=True, slots=True)
class Classification:
    """What the message is about; ``ranking`` is in falling order and starts with the best intent."""

    language: LanguageGuess
    intent: IntentScore
    decision: Acceptance
    ranking: tuple[IntentScore, ...]
    sentiment: SentimentScore
    priority: Priority
    keywords: tuple[KeywordHit, ...]
    entities: tuple[Entity, ...]
    timing: Timing


@dataclass(frozen=True, slots=True)
class Candidate:
    """One FAQ entry considered: calibrated probability that it is right, and raw cosine similarity."""

    id: str
    confidence: float
    similarity: float


@dataclass(frozen=True, slots=True)
class ReplyParts:
    """问候语, 问题确认, 解决方案, 后续引导, 结束语."""

    greeting: str
    confirm: str
    solution: str
    next: str
    closing: str

    def text(self, separator: str = "\n") -> str:
        """The parts that are not empty, one a line unless ``separator`` says otherwise."""
        return separator.join(part for part in (self.greeting, self.confirm, self.solution, self.next, self.closing) if part)


@dataclass(frozen=True, slots=True)
class Reply:
    """The written reply and the template version it came from.

    ``subject`` is an e-mail's. ``segments`` are the messages a short message is sent as; joined they are ``text``.
    ``missing`` names the facts that nobody has given yet. ``blocked`` names the kinds of personal data that kept another reply from
    being sent; this one then stands in its place.
    """

    text: str
    parts: ReplyParts
    template_id: str
    template_version: str
    language: str
    channel: Channel = Channel.WEB
    subject: str | None = None
    segments: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One line of evidence for a decision: which step, and what it found."""

    step: str
    detail: str

    def told(self) -> dict[str, object]:
        """The step as the contract words it."""
        return {"step": self.step, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class RuleStep(Step):
    """A row of the operator's rules: ``detail`` is its id."""

    step: str = field(default="rule", init=False)
    detail: str
    fired: bool

    def told(self) -> dict[str, object]:
        """By its id, so that who reads it need not take a line of words apart."""
        return {"step": self.step, "id": self.detail, "fired": self.fired}


@dataclass(frozen=True, slots=True)
class Answer:
    """The engine's whole decision about one message.

    ``candidates`` always holds the best entries. ``faq`` is the entry that was sent, set only when answered.
    ``accepted`` is the entry whose match the engine stands behind, also when a person then takes over.
    ``state`` is the conversation after this message; ``second_response`` marks the second try after a first dissatisfied message.
    ``suggested`` are entries worth sending by the person who takes over, best first; empty where nobody does.
    ``masked`` is the message without personal data where the engine has masked it, for whoever stores it; else empty.
    """

    outcome: Outcome
    reply: Reply
    faq: Candidate | None
    accepted: Candidate | None
    candidates: tuple[Candidate, ...]
    classification: Classification
    missing: tuple[str, ...]
    handoff: Handoff
    explanation: tuple[Step, ...]
    state: ConversationState = NEW
    second_response: bool = False
    suggested: tuple[str, ...] = ()
    masked: str = field(default="", repr=False, compare=False)

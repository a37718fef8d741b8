"""What a decision looks at."""

from __future__ import annotations

from dataclasses import dataclass, field

from yingda.decide.thresholds import Thresholds
from yingda.decide.wording import Mentions
from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.decision import Acceptance, Candidate, Classification
from yingda.domain.handoff import HandoffPolicy
from yingda.domain.knowledge import DISPLEASED, FaqEntry, Intent, Sentiment
from yingda.domain.message import Message, Tier

COMPLAINT = "COMPLAINT"
"""Code of the category whose messages a person always handles."""

SECURITY = "ACCOUNT_SECURITY"
HUMAN = "GENERAL_HUMAN"
UNRESOLVED = "GENERAL_UNRESOLVED"
GREETING = "GENERAL_GREETING"
THANKS = "GENERAL_THANKS"
PRAISE = "FEEDBACK_PRAISE"
NO_MATTER = frozenset({HUMAN, UNRESOLVED, GREETING, THANKS})
"""Intents whose messages name no matter of their own."""

DEFAULT = HandoffPolicy()
"""The policy of a pack that brings none."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a decision looks at: the message, what it is about, the entry the engine stands behind, and what was before.

    ``complaint`` is the probability that the message is any complaint: which one may be open where the fact is not.
    ``text`` is the message normalised, ``masked`` without personal data; what is empty is made from the message.
    ``best`` is the entry of the best candidate, ``topic`` the intent of the conversation's open question, where known.
    ``fragment`` says that the message was read together with that question, ``only_facts`` that it holds facts (an order
    number) and nothing else. ``mentions`` is what the policy's words find in ``text``; None where nobody looked yet.
    ``hanging`` says that it was, or could have been, and is not decided for all that.
    ``wants`` are facts to ask for with the entry, ``withheld`` says that its answer lacks one and cannot be sent, ``stuck`` that no
    message can give what it lacks still, ``brings`` that this message gives a fact which it needs and had not.
    ``chosen`` says that the customer picked ``accepted`` from what was offered. ``offerable`` are the candidates that a customer may
    be asked about; None where nobody looked.
    ``askable`` says that the message's own intent has entries to ask about, ``resumable`` that the open question has.
    """

    message: Message
    classification: Classification
    intent: Intent
    accepted: FaqEntry | None
    candidates: tuple[Candidate, ...]
    complaint: float
    thresholds: Thresholds
    state: ConversationState = NEW
    text: str = ""
    policy: HandoffPolicy = field(default=DEFAULT)
    masked: str = ""
    best: FaqEntry | None = None
    topic: Intent | None = None
    fragment: bool = False
    only_facts: bool = False
    mentions: Mentions | None = None
    askable: bool = False
    resumable: bool = False
    hanging: bool = False
    wants: tuple[str, ...] = ()
    withheld: bool = False
    stuck: bool = False
    brings: bool = False
    chosen: bool = False
    offerable: frozenset[str] | None = None

    @property
    def sure(self) -> bool:
        """True when the intent may be acted on."""
        return self.classification.decision is Acceptance.ACCEPT or self.accepted is not None

    @property
    def furious(self) -> bool:
        """True when the customer is angry beyond doubt."""
        feeling = self.classification.sentiment
        return feeling.label is Sentiment.ANGRY and feeling.confidence >= self.thresholds.angry

    @property
    def enraged(self) -> bool:
        """True when the customer is angry with the confidence that a further reason of an urgent hand-off takes."""
        return self.furious and self.classification.sentiment.confidence >= self.thresholds.angry_beside

    @property
    def upset(self) -> bool:
        """True when the customer is displeased beyond doubt."""
        feeling = self.classification.sentiment
        return feeling.label in DISPLEASED and feeling.confidence >= self.thresholds.angry

    @property
    def displeased(self) -> bool:
        """True when the customer is more likely displeased than not, as feelings are told: nothing to greet or thank for."""
        return self.classification.sentiment.label in DISPLEASED

    @property
    def is_keyword(self) -> bool:
        """True when the message is but a keyword of its likeliest intent (退款): what it is about is said, what is asked is not."""
        said = "".join(char for char in (self.text or self.message.text).lower() if char.isalnum())
        hits = self.classification.keywords
        return any(hit.intent == self.classification.intent.code and hit.text == said for hit in hits)

    @property
    def is_vip(self) -> bool:
        """True for a customer of the highest tier."""
        return self.tier is Tier.VIP

    @property
    def tier(self) -> Tier:
        """That of the customer whom the message names, or else of the one whom the conversation knows."""
        known = self.message.customer or self.state.customer
        return known.tier if known else Tier.NORMAL

    def is_surely(self, *intents: str) -> bool:
        """True when the intent may be acted on and is one of ``intents``."""
        return self.sure and self.intent.code in intents

"""The hand-off and answer policy as one table, read top to bottom: the first row that holds decides.

The policy looks at one message; what depends on the conversation so far is not its business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from yingda.decide.thresholds import Thresholds
from yingda.domain.decision import Acceptance, Candidate, Classification, Handoff, Outcome, Reason, Step
from yingda.domain.knowledge import OUT_OF_SCOPE, FaqEntry, Intent, Priority, Sentiment
from yingda.domain.message import Message, Tier

_SECURITY = "ACCOUNT_SECURITY"
COMPLAINT = "COMPLAINT"
"""Code of the category whose messages a person always handles."""

_HUMAN = "GENERAL_HUMAN"


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a decision looks at: the message, what it is about, and the entry the engine stands behind.

    ``complaint`` is the probability that the message is any complaint: which one may be open where the fact is not.
    """

    message: Message
    classification: Classification
    intent: Intent
    accepted: FaqEntry | None
    candidates: tuple[Candidate, ...]
    complaint: float
    thresholds: Thresholds

    @property
    def sure(self) -> bool:
        """True when the intent may be acted on."""
        return self.classification.decision is Acceptance.ACCEPT or self.accepted is not None

    @property
    def furious(self) -> bool:
        """True when the customer is angry beyond doubt."""
        feeling = self.classification.sentiment
        return feeling.label is Sentiment.ANGRY and feeling.confidence >= self.thresholds.angry


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome, hand-off and the line of the table that decided."""

    outcome: Outcome
    handoff: Handoff
    step: Step


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the policy."""

    reason: Reason
    detail: str
    holds: Callable[[Evidence], bool]


def _worth_asking(evidence: Evidence) -> bool:
    total = sum(candidate.confidence for candidate in evidence.candidates[:3])
    return evidence.intent.code != OUT_OF_SCOPE and total >= evidence.thresholds.clarify


def _complains(evidence: Evidence) -> bool:
    sure_of_one = evidence.sure and evidence.intent.category == COMPLAINT
    return sure_of_one or evidence.complaint >= evidence.thresholds.intent


def _needs_person(evidence: Evidence) -> bool:
    """True when the entry says so, or when no entry may close its intent."""
    return evidence.accepted is not None and (evidence.accepted.needs_human or not evidence.intent.answerable)


HANDOFF_ROWS: tuple[_Row, ...] = (
    _Row(Reason.REQUESTED, "the customer asks for a person", lambda e: e.sure and e.intent.code == _HUMAN),
    _Row(Reason.SECURITY, "account security", lambda e: e.sure and e.intent.code == _SECURITY),
    _Row(Reason.COMPLAINT, "a complaint", _complains),
    _Row(Reason.NEGATIVE_SENTIMENT, "the customer is angry", lambda e: e.furious),
    _Row(Reason.NEEDS_HUMAN, "the matching entry needs a person", _needs_person),
)


def decide(evidence: Evidence) -> Verdict:
    """The outcome for one message; several hand-off reasons may stand together."""
    reasons = tuple(row.reason for row in HANDOFF_ROWS if row.holds(evidence))
    if reasons:
        fired = "; ".join(row.detail for row in HANDOFF_ROWS if row.reason in reasons)
        return _verdict(evidence, Outcome.HANDOFF, fired, reasons)
    if evidence.accepted is not None:
        return _verdict(evidence, Outcome.ANSWERED, f"match at or above {evidence.thresholds.match:.3f}")
    if _worth_asking(evidence):
        return _verdict(evidence, Outcome.CLARIFY, "no match is sure enough, but the best few are worth asking about")
    return _verdict(evidence, Outcome.NO_ANSWER, "nothing fits well enough to answer")


def _verdict(evidence: Evidence, outcome: Outcome, detail: str, reasons: tuple[Reason, ...] = ()) -> Verdict:
    required = outcome is Outcome.HANDOFF
    handoff = Handoff(required, reasons, evidence.intent.skill if required else None, triage(evidence))
    return Verdict(outcome, handoff, Step("decide", detail))


def triage(evidence: Evidence) -> Priority:
    """The intent's own priority; anger and VIP customers are high."""
    customer = evidence.message.customer
    if evidence.furious or (customer is not None and customer.tier is Tier.VIP):
        return Priority.HIGH
    return evidence.intent.priority

"""When a person takes over: why, who, and how soon."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from yingda.domain.labels import Priority


class Reason(StrEnum):
    """Why a person takes over; a closed list."""

    REQUESTED = "requested"
    REPEATED_QUESTION = "repeated_question"
    DISSATISFIED = "dissatisfied"
    COMPLAINT = "complaint"
    NEGATIVE_SENTIMENT = "negative_sentiment"
    SECURITY = "security"
    VIP = "vip"
    LOW_CONFIDENCE = "low_confidence"
    OUT_OF_SCOPE = "out_of_scope"
    NEEDS_HUMAN = "needs_human"
    CHANNEL_CLOSED = "channel_closed"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class Handoff:
    """Whether a person must take over, why, and who; ``notify`` names who is told besides (``supervisor``)."""

    required: bool
    reasons: tuple[Reason, ...]
    skill: str | None
    priority: Priority
    notify: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

"""Labels that models, policies and reports share."""

from __future__ import annotations

from enum import StrEnum


class Sentiment(StrEnum):
    """How the customer feels: neutral is matter-of-fact even about a problem, angry is strong anger or a threat."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"
    ANGRY = "angry"


class Priority(StrEnum):
    """Where triage starts."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

"""Is any intent lost? A figure over all rows does not show it: one intent of forty is two rows in a hundred."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.metrics import Measure, share
from evaluation.outcomes import Judged

FEWEST_ROWS = 10
"""Answerable rows from which an intent is looked at; with fewer, a single message decides too much."""


def least_found_intent(judged: Sequence[Judged]) -> Measure:
    """Lowest ``faq_top1`` of an intent with at least ten answerable rows; n counts that intent's rows."""
    intents: dict[str, list[bool]] = {}
    for item in judged:
        if item.row.intent is not None and item.row.faq is not None:
            intents.setdefault(item.row.intent, []).append(item.best_right)
    found = [share(right) for right in intents.values() if len(right) >= FEWEST_ROWS]
    return min(found, key=lambda measure: (measure.value, -measure.n), default=Measure(None, 0))

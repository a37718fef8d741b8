"""Is any intent lost? A figure over all rows does not show it: one intent of forty is two rows in a hundred."""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.metrics import Measure, share
from evaluation.outcomes import Judged

FEWEST_ROWS = 10
"""Answerable rows from which an intent is looked at; with fewer, a single message decides too much."""


def least_found_intent(judged: Sequence[Judged]) -> Measure:
    """Lowest ``faq_top1`` of an intent with at least ten answerable rows; n counts that intent's rows."""
    return share([item.best_right for item in least_found(judged)])


def least_found(judged: Sequence[Judged]) -> Sequence[Judged]:
    """The answerable rows of that intent, the one with most rows of several; none where every intent has fewer than ten."""
    intents: dict[str, list[Judged]] = {}
    for item in judged:
        if item.row.intent is not None and item.row.faq is not None:
            intents.setdefault(item.row.intent, []).append(item)
    looked_at = [rows for rows in intents.values() if len(rows) >= FEWEST_ROWS]
    return min(looked_at, key=lambda rows: (sum(item.best_right for item in rows) / len(rows), -len(rows)), default=[])

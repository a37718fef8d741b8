"""Is any intent or language lost? A figure over all rows does not show it: one intent of forty is two rows in a hundred."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from evaluation.metrics import Measure, share
from evaluation.outcomes import Judged
from evaluation.weakest import weakest

FEWEST_ROWS = 10
"""Rows from which an intent or a language is looked at alone; with fewer, a single message decides too much."""


def least_found_intent(judged: Sequence[Judged]) -> Measure:
    """Lowest ``faq_top1`` of an intent, those with fewer than ten answerable rows taken together; n counts that intent's rows."""
    return share([item.best_right for item in least_found(judged)])


def least_found_language(judged: Sequence[Judged]) -> Measure:
    """Lowest ``faq_top1`` of a marked language, those with fewer than ten answerable rows taken together; n counts its rows."""
    return share([item.best_right for item in least_found_in_language(judged)])


def most_misled_language(judged: Sequence[Judged]) -> Measure:
    """Highest ``wrong_automatic_answers`` of a marked language, those with fewer than ten rows taken together; n counts its rows."""
    return share([not _harmless(item) for item in most_misled(judged)])


def least_found(judged: Sequence[Judged]) -> Sequence[Judged]:
    """The answerable rows of the least found intent; none where there are too few."""
    return _weakest(_answerable(judged), lambda item: item.row.intent, lambda item: item.best_right)


def least_found_in_language(judged: Sequence[Judged]) -> Sequence[Judged]:
    """The answerable rows of the language in which least is found; none where there are too few."""
    return _weakest(_answerable(judged), lambda item: item.row.language, lambda item: item.best_right)


def most_misled(judged: Sequence[Judged]) -> Sequence[Judged]:
    """The rows of the language with most wrong automatic answers; none where there are too few."""
    return _weakest(judged, lambda item: item.row.language, _harmless)


def _weakest(rows: Iterable[Judged], name: Callable[[Judged], str | None], right: Callable[[Judged], bool]) -> Sequence[Judged]:
    groups: dict[str, list[Judged]] = {}
    for item in rows:
        if (group := name(item)) is not None:
            groups.setdefault(group, []).append(item)
    return weakest(groups, right, fewest=FEWEST_ROWS)


def _answerable(judged: Sequence[Judged]) -> list[Judged]:
    return [item for item in judged if item.row.faq is not None]


def _harmless(item: Judged) -> bool:
    return not item.automatic or item.automatic_right

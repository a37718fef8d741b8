"""Is the right entry found, and does the engine know when it is not?"""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.metrics import Measure, calibration_error, coverage_at, share, share_lower_bound
from evaluation.outcomes import Judged, Scored
from yingda.domain.knowledge import OUT_OF_SCOPE

PROMISE = 0.95
"""Match accuracy at which coverage is compared between models."""


def faq_top1(judged: Sequence[Judged]) -> Measure:
    """Share of rows with a labelled entry whose best candidate is right (the entry or one of ``also``)."""
    return share([row.best_right for row in _answerable(judged)])


def match_accuracy(judged: Sequence[Judged]) -> Measure:
    """Share of accepted matches that are right, among all rows, also those that no entry answers."""
    return share([row.accepted_right for row in judged if row.accepted])


def match_accuracy_lower_bound(judged: Sequence[Judged]) -> Measure:
    """One-sided 95 % Clopper-Pearson lower bound (1934) of match accuracy."""
    return share_lower_bound([row.accepted_right for row in judged if row.accepted])


def automatic_accuracy(judged: Sequence[Judged]) -> Measure:
    """Share of automatic answers (outcome ``answered``) whose entry is right."""
    return share([row.automatic_right for row in judged if row.automatic])


def automatic_accuracy_lower_bound(judged: Sequence[Judged]) -> Measure:
    """One-sided 95 % Clopper-Pearson lower bound (1934) of the accuracy of automatic answers."""
    return share_lower_bound([row.automatic_right for row in judged if row.automatic])


def coverage(judged: Sequence[Judged]) -> Measure:
    """Share of rows with a labelled entry for which the engine accepts a match, right or wrong."""
    return share([row.accepted for row in _answerable(judged)])


def automatic_coverage(judged: Sequence[Judged]) -> Measure:
    """Share of rows with a labelled entry that are answered automatically, right or wrong: what no person has to answer."""
    return share([row.automatic for row in _answerable(judged)])


def coverage_at_95(judged: Sequence[Judged]) -> Measure:
    """Coverage at the best threshold in hindsight at which 95 % of matches are right (El-Yaniv & Wiener 2010)."""
    return coverage_at(
        PROMISE,
        confidence=[row.best_confidence for row in judged],
        right=[row.best_right for row in judged],
        wanted=[row.row.faq is not None for row in judged],
    )


def wrong_automatic_answers(judged: Sequence[Judged]) -> Measure:
    """Automatic answers that are wrong, as a share of all messages."""
    return share([row.automatic and not row.automatic_right for row in judged])


def out_of_scope_refusal(judged: Sequence[Judged]) -> Measure:
    """Share of OUT_OF_SCOPE rows that are not answered automatically."""
    return share([not row.automatic for row in judged if row.row.intent == OUT_OF_SCOPE])


def match_ece(judged: Sequence[Judged]) -> Measure:
    """Expected calibration error of the best candidate's confidence (15 bins of equal mass), all rows."""
    scored = match_scored(judged)
    return calibration_error(scored.confidence, scored.right)


def match_scored(judged: Sequence[Judged]) -> Scored:
    """Confidence of the best candidate, over all rows."""
    return Scored([row.best_confidence for row in judged], [row.best_right for row in judged])


def _answerable(judged: Sequence[Judged]) -> list[Judged]:
    return [row for row in judged if row.row.faq is not None]

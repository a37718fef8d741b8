"""Is the customer's mood seen?"""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.metrics import Measure, calibration_error, macro_f1, share
from evaluation.outcomes import Judged, Scored
from yingda.domain.knowledge import DISPLEASED


def sentiment_accuracy(judged: Sequence[Judged]) -> Measure:
    """Share of rows whose sentiment is the labelled one."""
    return share([row.sentiment_right for row in judged])


def sentiment_macro_f1(judged: Sequence[Judged]) -> Measure:
    """Unweighted mean F1 over the four sentiments; one that neither labels nor engine name is left out."""
    gold = [row.row.sentiment.value for row in judged]
    got = [row.answer.classification.sentiment.label.value for row in judged]
    return macro_f1(gold, got, classes={*gold, *got})


def displeased_recall(judged: Sequence[Judged]) -> Measure:
    """Share of rows labelled negative or angry that the engine calls negative or angry."""
    displeased = [row for row in judged if row.row.sentiment in DISPLEASED]
    return share([row.answer.classification.sentiment.label in DISPLEASED for row in displeased])


def sentiment_ece(judged: Sequence[Judged]) -> Measure:
    """Expected calibration error of the sentiment's confidence (15 bins of equal mass)."""
    scored = sentiment_scored(judged)
    return calibration_error(scored.confidence, scored.right)


def sentiment_scored(judged: Sequence[Judged]) -> Scored:
    """Confidence of the sentiment, over all rows."""
    return Scored([row.answer.classification.sentiment.confidence for row in judged], [row.sentiment_right for row in judged])

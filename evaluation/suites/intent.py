"""Is the intent right, and does its confidence say so?"""

from __future__ import annotations

from collections.abc import Sequence

from evaluation.metrics import Measure, calibration_error, macro_f1, share
from evaluation.outcomes import Judged, Scored


def intent_accuracy(judged: Sequence[Judged]) -> Measure:
    """Share of rows whose best intent is the labelled one, without abstaining."""
    return share([row.intent_right for row in _labelled(judged)])


def intent_macro_f1(judged: Sequence[Judged]) -> Measure:
    """Unweighted mean F1 over the intents that occur among the labels, without abstaining."""
    rows = _labelled(judged)
    gold = [str(row.row.intent) for row in rows]
    return macro_f1(gold, [row.answer.classification.intent.code for row in rows], classes=set(gold))


def intent_ece(judged: Sequence[Judged]) -> Measure:
    """Expected calibration error of the best intent's confidence (15 bins of equal mass)."""
    scored = intent_scored(judged)
    return calibration_error(scored.confidence, scored.right)


def intent_scored(judged: Sequence[Judged]) -> Scored:
    """Confidence of the best intent, over rows with a labelled one."""
    rows = _labelled(judged)
    return Scored([row.answer.classification.intent.confidence for row in rows], [row.intent_right for row in rows])


def _labelled(judged: Sequence[Judged]) -> list[Judged]:
    return [row for row in judged if row.row.intent is not None]

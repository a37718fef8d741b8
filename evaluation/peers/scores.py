"""Predictions of any peer through the metrics of the evaluation, so that figures of both can be laid side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from evaluation.material import Suite
from evaluation.metrics import Measure
from evaluation.outcomes import Judged
from evaluation.peers.peer import Prediction
from evaluation.rows import Row
from evaluation.suites.answers import coverage_at_95, faq_top1
from evaluation.suites.intent import intent_accuracy
from yingda.domain.decision import (
    Acceptance,
    Answer,
    Candidate,
    Classification,
    Handoff,
    IntentScore,
    LanguageGuess,
    Outcome,
    Reply,
    ReplyParts,
    SentimentScore,
    Timing,
)
from yingda.domain.knowledge import Priority, Sentiment

METRICS: Mapping[str, Callable[[Sequence[Judged]], Measure]] = MappingProxyType(
    {metric.__name__: metric for metric in (faq_top1, intent_accuracy, coverage_at_95)}
)
"""What every peer can be asked for; all three need only the best entry, the best intent and an order of confidence."""

Scores = Mapping[str, Mapping[str, Measure]]
"""Measures by suite and metric."""

_NOBODY = Reply("", ReplyParts("", "", "", "", ""), "", "", "")


def score(suites: Sequence[Suite], predictions: Sequence[Prediction]) -> Scores:
    """Measures over ``predictions``, one for each row of ``suites`` in order; rows marked sure also have a suite of their own."""
    scores: dict[str, Mapping[str, Measure]] = {}
    waiting = iter(predictions)
    for suite in suites:
        judged = [Judged(row, _answer(next(waiting))) for row in rows_of([suite])]
        scores[suite.name] = {name: metric(judged) for name, metric in METRICS.items()}
        if any(item.row.sure is not None for item in judged):
            sure = [item for item in judged if item.row.sure]
            scores[f"{suite.name} (sure)"] = {name: metric(sure) for name, metric in METRICS.items()}
    return scores


def rows_of(suites: Sequence[Suite]) -> list[Row]:
    """Every row of every suite, in order."""
    return [row for suite in suites for file in suite.files for row in file.rows]


def _answer(said: Prediction) -> Answer:
    """An engine's answer that holds ``said`` and nothing more: what the metrics above do not read is empty."""
    intent = IntentScore(said.intent, said.confidence)
    return Answer(
        outcome=Outcome.NO_ANSWER,
        reply=_NOBODY,
        faq=None,
        accepted=None,
        candidates=() if said.entry is None else (Candidate(said.entry, said.confidence, 0.0),),
        classification=Classification(
            language=LanguageGuess("und", 0.0),
            intent=intent,
            decision=Acceptance.ABSTAIN,
            ranking=(intent,),
            sentiment=SentimentScore(Sentiment.NEUTRAL, 0.0, {}),
            priority=Priority.LOW,
            keywords=(),
            entities=(),
            timing=Timing(0.0, 0.0, 0.0, 0.0),
        ),
        missing=(),
        handoff=Handoff(False, (), None, Priority.LOW),
        explanation=(),
    )

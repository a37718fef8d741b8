"""All metrics of one suite, also by style and language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from evaluation.metrics import Measure
from evaluation.outcomes import Judged
from evaluation.suites import answers, intent, sentiment
from evaluation.suites.mistakes import WrongMatch, surest_mistakes

Metric = Callable[[Sequence[Judged]], Measure]

_ALL: tuple[Metric, ...] = (
    intent.intent_accuracy,
    intent.intent_macro_f1,
    answers.faq_top1,
    answers.match_accuracy,
    answers.match_accuracy_lower_bound,
    answers.automatic_accuracy,
    answers.automatic_accuracy_lower_bound,
    answers.coverage,
    answers.coverage_at_95,
    answers.wrong_automatic_answers,
    answers.out_of_scope_refusal,
    sentiment.sentiment_macro_f1,
    sentiment.displeased_recall,
    intent.intent_ece,
    answers.match_ece,
)

METRICS: Mapping[str, Metric] = MappingProxyType({metric.__name__: metric for metric in _ALL})
"""Every metric by the name that gates and reports use."""

SLICED = ("intent_accuracy", "faq_top1", "match_accuracy", "coverage")
"""Metrics also given for parts of a suite."""

_UNMARKED = "unmarked"


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of one style or language; ``by`` says which of the two."""

    by: str
    value: str
    rows: int
    measures: Mapping[str, Measure]


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of engine time a message; informative, no gate reads it."""

    median: float
    p99: float


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """Everything measured over one suite."""

    name: str
    rows: int
    measures: Mapping[str, Measure]
    slices: tuple[Slice, ...]
    mistakes: tuple[WrongMatch, ...]
    latency: Latency


def examine(name: str, judged: Sequence[Judged], *, texts: bool) -> SuiteResult:
    """The result over ``judged`` (at least one row); ``texts`` tells whether messages may be quoted."""
    return SuiteResult(
        name=name,
        rows=len(judged),
        measures=_measure(judged, METRICS),
        slices=(
            *_slices(judged, "style", lambda item: item.row.style),
            *_slices(judged, "language", lambda item: item.row.language),
        ),
        mistakes=surest_mistakes(judged, texts=texts),
        latency=_latency(judged),
    )


def _measure(judged: Sequence[Judged], names: Sequence[str] | Mapping[str, Metric]) -> Mapping[str, Measure]:
    return MappingProxyType({name: METRICS[name](judged) for name in names})


def _slices(judged: Sequence[Judged], by: str, key: Callable[[Judged], str | None]) -> tuple[Slice, ...]:
    values = sorted({key(item) or _UNMARKED for item in judged})
    if values == [_UNMARKED]:
        return ()
    parts = {value: [item for item in judged if (key(item) or _UNMARKED) == value] for value in values}
    return tuple(Slice(by, value, len(part), _measure(part, SLICED)) for value, part in parts.items())


def _latency(judged: Sequence[Judged]) -> Latency:
    median, p99 = np.quantile([item.answer.classification.timing.total for item in judged], [0.5, 0.99])
    return Latency(float(median), float(p99))

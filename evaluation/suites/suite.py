"""All that is measured over one suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from evaluation.examination import Example
from evaluation.metrics import Measure
from evaluation.outcomes import Judged
from evaluation.suites import answers, intent, least_found, sentiment
from evaluation.suites.against import against
from evaluation.suites.calibration import Calibration, calibrations
from evaluation.suites.confusion import NO_CATEGORIES, Confusion, confusion
from evaluation.suites.latency import Latency, latency
from evaluation.suites.mistakes import WrongMatch, surest_mistakes
from evaluation.suites.slices import Slice, slices

Metric = Callable[[Sequence[Judged]], Measure]

_ALL: tuple[Metric, ...] = (
    intent.intent_accuracy,
    intent.intent_macro_f1,
    answers.faq_top1,
    least_found.least_found_intent,
    least_found.least_found_language,
    answers.match_accuracy,
    answers.match_accuracy_lower_bound,
    answers.automatic_accuracy,
    answers.automatic_accuracy_lower_bound,
    answers.coverage,
    answers.automatic_coverage,
    answers.coverage_at_95,
    answers.wrong_automatic_answers,
    least_found.most_misled_language,
    answers.out_of_scope_refusal,
    sentiment.sentiment_accuracy,
    sentiment.sentiment_macro_f1,
    sentiment.displeased_recall,
    intent.intent_ece,
    answers.match_ece,
    sentiment.sentiment_ece,
)

METRICS: Mapping[str, Metric] = MappingProxyType({metric.__name__: metric for metric in _ALL})
"""Every metric by the name that gates and reports use."""


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """Everything measured over one suite; ``against`` holds some messages that count against a metric."""

    name: str
    rows: int
    measures: Mapping[str, Measure]
    slices: tuple[Slice, ...]
    calibrations: tuple[Calibration, ...]
    mistakes: tuple[WrongMatch, ...]
    latency: Latency
    confusion: Confusion
    against: Mapping[str, tuple[Example, ...]]


def examine(name: str, judged: Sequence[Judged], *, texts: bool, categories: Mapping[str, str] = NO_CATEGORIES) -> SuiteResult:
    """The result over ``judged`` (at least one row); ``texts`` tells whether messages may be quoted.

    ``categories`` gives the category of each intent that the engine may name.
    """
    return SuiteResult(
        name=name,
        rows=len(judged),
        measures=MappingProxyType({name: metric(judged) for name, metric in METRICS.items()}),
        slices=slices(judged),
        calibrations=calibrations(judged),
        mistakes=surest_mistakes(judged, texts=texts),
        latency=latency(judged),
        confusion=confusion(judged, categories),
        against=against(judged, texts=texts),
    )

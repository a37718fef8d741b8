"""The messages that count against a figure, the surest first: what a person reads to learn why a gate failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from evaluation.examination import SHOWN, Example
from evaluation.outcomes import Judged
from evaluation.robustness.fate import describe
from evaluation.suites.least_found import least_found, least_found_in_language, most_misled
from yingda.domain.knowledge import DISPLEASED, OUT_OF_SCOPE

Pick = Callable[[Sequence[Judged]], Sequence[Judged]]


@dataclass(frozen=True, slots=True)
class Head:
    """One of the engine's judgements: how sure it was of a message, and what it should have said and said."""

    confidence: Callable[[Judged], float]
    said: Callable[[Judged], str]


def against(judged: Sequence[Judged], *, texts: bool) -> Mapping[str, tuple[Example, ...]]:
    """Up to SHOWN messages a metric; without their texts unless ``texts`` allows them."""
    return MappingProxyType({metric: _examples(head, pick(judged), texts=texts) for metric, (head, pick) in _AGAINST.items()})


def _examples(head: Head, judged: Sequence[Judged], *, texts: bool) -> tuple[Example, ...]:
    ordered = sorted(judged, key=lambda item: (-head.confidence(item), item.row.place))
    return tuple(Example(item.row.place, item.row.text if texts else None, head.said(item)) for item in ordered[:SHOWN])


def _said_intent(item: Judged) -> str:
    found = item.answer.classification.intent
    return f"{item.row.intent} taken for {found.code} ({found.confidence:.2f})"


def _said_entry(item: Judged) -> str:
    return f"{item.row.faq or 'no entry'} expected: {describe(item.answer)}"


def _said_mood(item: Judged) -> str:
    found = item.answer.classification.sentiment
    return f"{item.row.sentiment.value} taken for {found.label.value} ({found.confidence:.2f})"


_INTENT = Head(lambda item: item.answer.classification.intent.confidence, _said_intent)
_ENTRY = Head(lambda item: item.best_confidence, _said_entry)
_MOOD = Head(lambda item: item.answer.classification.sentiment.confidence, _said_mood)


def _where(condition: Callable[[Judged], bool]) -> Pick:
    return lambda judged: [item for item in judged if condition(item)]


_wrong_intent = _where(lambda item: item.row.intent is not None and not item.intent_right)
_wrong_best = _where(lambda item: item.best is not None and not item.best_right)
_not_found = _where(lambda item: item.row.faq is not None and not item.best_right)
_wrong_match = _where(lambda item: item.accepted and not item.accepted_right)
_wrong_answer = _where(lambda item: item.automatic and not item.automatic_right)
_uncovered = _where(lambda item: item.row.faq is not None and not item.accepted)
_unanswered = _where(lambda item: item.row.faq is not None and not item.automatic)
_not_refused = _where(lambda item: item.row.intent == OUT_OF_SCOPE and item.automatic)
_wrong_mood = _where(lambda item: not item.sentiment_right)
_unheard = _where(lambda item: item.row.sentiment in DISPLEASED and item.answer.classification.sentiment.label not in DISPLEASED)

_AGAINST: Mapping[str, tuple[Head, Pick]] = MappingProxyType(
    {
        **dict.fromkeys(("intent_accuracy", "intent_macro_f1", "intent_ece"), (_INTENT, _wrong_intent)),
        "faq_top1": (_ENTRY, _not_found),
        "least_found_intent": (_ENTRY, lambda judged: _not_found(least_found(judged))),
        "least_found_language": (_ENTRY, lambda judged: _not_found(least_found_in_language(judged))),
        "most_misled_language": (_ENTRY, lambda judged: _wrong_answer(most_misled(judged))),
        **dict.fromkeys(("match_accuracy", "match_accuracy_lower_bound"), (_ENTRY, _wrong_match)),
        **dict.fromkeys(("automatic_accuracy", "automatic_accuracy_lower_bound", "wrong_automatic_answers"), (_ENTRY, _wrong_answer)),
        "coverage": (_ENTRY, _uncovered),
        "automatic_coverage": (_ENTRY, _unanswered),
        **dict.fromkeys(("coverage_at_95", "match_ece"), (_ENTRY, _wrong_best)),
        "out_of_scope_refusal": (_ENTRY, _not_refused),
        **dict.fromkeys(("sentiment_accuracy", "sentiment_macro_f1", "sentiment_ece"), (_MOOD, _wrong_mood)),
        "displeased_recall": (_MOOD, _unheard),
    }
)

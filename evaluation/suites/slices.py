"""The headline figures for parts of a suite: where is the engine weak?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from evaluation.metrics import Measure
from evaluation.outcomes import Judged
from evaluation.suites.answers import coverage, faq_top1, match_accuracy
from evaluation.suites.intent import intent_accuracy
from evaluation.suites.sentiment import sentiment_accuracy
from yingda.domain.knowledge import Sentiment

HEADLINES: Mapping[str, Callable[[Sequence[Judged]], Measure]] = MappingProxyType(
    {metric.__name__: metric for metric in (intent_accuracy, faq_top1, match_accuracy, coverage, sentiment_accuracy)}
)
"""Metrics also given for parts of a suite; all are shares, so each has its 95 % Wilson interval."""

_UNMARKED = "unmarked"
_BANDS: Mapping[str, int] = MappingProxyType(
    {"1-10 characters": 10, "11-20 characters": 20, "21-40 characters": 40, "41-80 characters": 80}
)
_LONGER = "81 characters and more"


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows that share ``value``; ``by`` says what of."""

    by: str
    value: str
    rows: int
    measures: Mapping[str, Measure]


@dataclass(frozen=True, slots=True)
class _Dimension:
    """What tells slices apart; values named in ``order`` come first, the others after them by name."""

    by: str
    value: Callable[[Judged], str | None]
    order: tuple[str, ...] = ()

    def place(self, value: str) -> tuple[int, str]:
        return (self.order.index(value) if value in self.order else len(self.order), value)


def length_band(text: str) -> str:
    """The band of characters that ``text`` falls into."""
    return next((band for band, most in _BANDS.items() if len(text) <= most), _LONGER)


_DIMENSIONS = (
    _Dimension("style", lambda item: item.row.style),
    _Dimension("language", lambda item: item.row.language),
    _Dimension("length", lambda item: length_band(item.row.text), (*_BANDS, _LONGER)),
    _Dimension("sentiment", lambda item: item.row.sentiment.value, tuple(Sentiment)),
    _Dimension("category", lambda item: item.row.category),
)


def slices(judged: Sequence[Judged]) -> tuple[Slice, ...]:
    """The parts of ``judged`` by style, language, length, sentiment and category; each of these holds every row once.

    One that marks no row at all is left out.
    """
    return tuple(part for dimension in _DIMENSIONS for part in _slices(judged, dimension))


def _slices(judged: Sequence[Judged], dimension: _Dimension) -> tuple[Slice, ...]:
    parts: dict[str, list[Judged]] = {}
    for item in judged:
        parts.setdefault(dimension.value(item) or _UNMARKED, []).append(item)
    if set(parts) == {_UNMARKED}:
        return ()
    return tuple(_slice(dimension.by, value, parts[value]) for value in sorted(parts, key=dimension.place))


def _slice(by: str, value: str, part: Sequence[Judged]) -> Slice:
    return Slice(by, value, len(part), MappingProxyType({name: metric(part) for name, metric in HEADLINES.items()}))

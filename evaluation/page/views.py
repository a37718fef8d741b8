"""What the page shows, worked out from the report: every number is the report's own, or a difference of two of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.examination import Examination, Example
from evaluation.gates import GateResult, Side, Verdict
from evaluation.metrics import Measure
from evaluation.page.words import VERDICTS, Word, extra_word, metric_word, suite_word
from evaluation.report import Report
from evaluation.suites import Confusion, Latency, Slice

FEW_ROWS = 30
"""Parts with fewer rows are marked: their intervals are wide."""

_ORDER = (Verdict.FAILED, Verdict.UNDECIDED, Verdict.SKIPPED, Verdict.PASSED)
"""What needs a reader comes first."""
_OPEN = frozenset({Verdict.UNDECIDED, Verdict.SKIPPED})

ERROR_SCALE = 0.25
"""Share of a category's messages at which a mistake is coloured fully."""


@dataclass(frozen=True, slots=True)
class GateView:
    """A gate in words; ``margin`` is how far it is kept, below 0 how far missed, None when undecided or skipped."""

    result: GateResult
    suite: Word
    metric: Word
    verdict: Word
    measure: Measure | None
    margin: float | None
    reason: str

    @property
    def examples(self) -> tuple[Example, ...]:
        """Messages that count against it, to be read where it did not pass."""
        return () if self.result.verdict is Verdict.PASSED else self.result.examples

    @property
    def sign(self) -> str:
        """The side of the limit that is right."""
        return "≥" if self.result.gate.side is Side.AT_LEAST else "≤"


@dataclass(frozen=True, slots=True)
class HeatCell:
    """Messages of one category given to another, their share of the row, and the strength of the colour, 0 to 1."""

    rows: int
    share: float
    strength: float
    right: bool


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A labelled category with all of its messages."""

    gold: str
    rows: int
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A bar of the latency histogram: from, to (milliseconds), messages, and height from 0 to 1."""

    low: float
    high: float
    rows: int
    height: float


def gate_views(report: Report, extras: Sequence[Examination]) -> tuple[GateView, ...]:
    """Every gate of the report, those that did not pass first."""
    found: dict[str, Mapping[str, Measure]] = {extra.name: extra.measures for extra in extras}
    found |= {suite.name: suite.measures for suite in report.suites}
    ordered = sorted(report.gates, key=lambda result: _ORDER.index(result.verdict))
    return tuple(_gate_view(result, found.get(result.gate.suite, {}).get(result.gate.metric), set(found)) for result in ordered)


def heat_rows(found: Confusion) -> tuple[HeatRow, ...]:
    """The categories of ``found``, each with shares of its own messages."""
    return tuple(_heat_row(found, number) for number in range(len(found.gold)))


def columns(found: Latency) -> tuple[Column, ...]:
    """The histogram of ``found``, the highest bar of height 1."""
    bars = found.histogram
    highest = max(bars.counts)
    pairs = zip(bars.edges, bars.edges[1:], bars.counts, strict=False)
    return tuple(Column(low, high, rows, rows / highest) for low, high, rows in pairs)


def sliced(parts: Sequence[Slice]) -> Mapping[str, Sequence[Slice]]:
    """Slices by what they are slices of."""
    return {by: [part for part in parts if part.by == by] for by in dict.fromkeys(part.by for part in parts)}


def _gate_view(result: GateResult, measure: Measure | None, suites: set[str]) -> GateView:
    gate = result.gate
    return GateView(
        result=result,
        suite=suite_word(gate.suite) if suite_word(gate.suite).en else extra_word(gate.suite),
        metric=metric_word(gate.metric),
        verdict=VERDICTS[result.verdict],
        measure=measure,
        margin=result.margin,
        reason=_reason(gate.suite, measure, suites) if result.verdict in _OPEN else "",
    )


def _reason(suite: str, measure: Measure | None, suites: set[str]) -> str:
    if suite not in suites:
        return "资料包里没有这个测试集"
    if measure is None or measure.value is None:
        return "没有计入该指标的消息"
    return "消息太少，不足以判定"


def _heat_row(found: Confusion, number: int) -> HeatRow:
    counts = found.counts[number]
    rows = sum(counts)
    cells = (_heat_cell(count, count / rows, right=place == number) for place, count in enumerate(counts))
    return HeatRow(found.gold[number], rows, tuple(cells))


def _heat_cell(rows: int, share: float, *, right: bool) -> HeatCell:
    return HeatCell(rows, share, share if right else min(1.0, share / ERROR_SCALE), right)

"""Does a confidence mean what it says, and does it sort right from wrong?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from evaluation.metrics import Measure
from evaluation.outcomes import Judged, Scored
from evaluation.reliability import Bin, calibration_error_with_interval, reliability
from evaluation.selective import RiskCoverage, area_under, risk_coverage, thinned
from evaluation.suites.answers import match_scored
from evaluation.suites.intent import intent_scored
from evaluation.suites.sentiment import sentiment_scored

POOLED = "pooled"
"""Name of the part that holds the rows of all files of a suite."""

HEADS: Mapping[str, Callable[[Sequence[Judged]], Scored]] = MappingProxyType(
    {"intent": intent_scored, "match": match_scored, "sentiment": sentiment_scored}
)
"""The confidences examined."""


@dataclass(frozen=True, slots=True)
class Head:
    """One confidence: its expected calibration error, and the bins behind it."""

    error: Measure
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What match confidence is worth for refusing: ``area`` under the whole curve, of which ``curve`` keeps some points."""

    area: float
    curve: RiskCoverage


@dataclass(frozen=True, slots=True)
class Calibration:
    """The confidences over one file, or over all of a suite; ``selection`` is None where no row has an entry."""

    part: str
    rows: int
    heads: Mapping[str, Head]
    selection: Selection | None


def calibrations(judged: Sequence[Judged]) -> tuple[Calibration, ...]:
    """All rows pooled, then each file where there are several, in order."""
    files: dict[str, list[Judged]] = {}
    for item in judged:
        files.setdefault(item.row.place.rpartition(":")[0], []).append(item)
    parts = {POOLED: judged, **(files if len(files) > 1 else {})}
    return tuple(_calibration(part, rows) for part, rows in parts.items())


def _calibration(part: str, judged: Sequence[Judged]) -> Calibration:
    heads = {name: _head(score(judged)) for name, score in HEADS.items()}
    return Calibration(part, len(judged), MappingProxyType(heads), _selection(judged))


def _head(scored: Scored) -> Head:
    error = calibration_error_with_interval(scored.confidence, scored.right)
    return Head(error, reliability(scored.confidence, scored.right))


def _selection(judged: Sequence[Judged]) -> Selection | None:
    wanted = [item.row.faq is not None for item in judged]
    if not any(wanted):
        return None
    scored = match_scored(judged)
    curve = risk_coverage(scored.confidence, scored.right, wanted)
    return Selection(area_under(curve), thinned(curve))

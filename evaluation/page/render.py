"""The whole page from the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from evaluation.examination import Examination
from evaluation.gates import EXAMINATIONS
from evaluation.metrics import Measure
from evaluation.page import words
from evaluation.page.prose import inline, to_markup
from evaluation.page.vector import inline_svg
from evaluation.page.views import ERROR_SCALE, FEW_ROWS, columns, gate_views, heat_rows, sliced
from evaluation.report import Report
from evaluation.suites import HEADLINES, METRICS
from evaluation.suites.calibration import HEADS

_TEMPLATE = "page.html.jinja"
_NO_NAMES: Mapping[str, str] = MappingProxyType({})


def to_html(
    report: Report,
    *,
    diagrams: Mapping[str, str],
    extras: Sequence[Examination] = (),
    names: Mapping[str, str] = _NO_NAMES,
) -> str:
    """The report as one page without scripts and without any address; every text in it is escaped.

    ``diagrams`` maps a file name to its SVG. ``names`` says what a category, intent or entry is called; what it does not
    name is shown by its code. ``extras`` are the examinations shown, those of the report unless given.
    """
    extras = extras or report.examinations
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            report=report,
            words=words,
            verdict=words.VERDICTS[report.verdict],
            gates=gate_views(report, extras),
            diagrams=_diagrams(diagrams),
            extras=extras,
            names={**words.VALUES, **names},
            metrics=METRICS,
            further=EXAMINATIONS,
            headlines=HEADLINES,
            heads=HEADS,
            few_rows=FEW_ROWS,
            error_scale=ERROR_SCALE,
        )
    )


def percent(value: float | None, digits: int = 1) -> str:
    """``0.978`` as ``97.8%``; a dash for None."""
    return "–" if value is None else f"{100 * value:.{digits}f}%"


def interval(measure: Measure) -> str:
    """``96.1–98.7%``; empty where the measure has no interval."""
    return "" if measure.low is None or measure.high is None else f"{100 * measure.low:.1f}–{100 * measure.high:.1f}%"


def breakable(name: str) -> Markup:
    """``name`` escaped, with places where a narrow column may break it."""
    return Markup("_<wbr>").join(escape(part) for part in name.split("_"))


def _environment() -> Environment:
    folder = FileSystemLoader(Path(__file__).parent)
    environment = Environment(autoescape=True, loader=folder, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    filters: Mapping[str, Any] = {
        "percent": percent,
        "interval": interval,
        "breakable": breakable,
        "prose": to_markup,
        "inline": inline,
        "heat_rows": heat_rows,
        "columns": columns,
        "sliced": sliced,
    }
    environment.filters.update(filters)
    return environment


def _diagrams(svgs: Mapping[str, str]) -> list[tuple[words.Word, Markup]]:
    """Word and picture, in the order of the words; a diagram without words keeps its name."""
    order = [name for name in words.DIAGRAMS if name in svgs] + sorted(set(svgs) - set(words.DIAGRAMS))
    named = [(words.DIAGRAMS.get(name, words.Word(name, "")), svgs[name]) for name in order]
    return [(word, inline_svg(svg, prefix=f"d{number}-", label=f"{word.zh} {word.en}")) for number, (word, svg) in enumerate(named)]

"""The diagrams of a report as SVG: reliability of each confidence, and risk over coverage. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.plots import COLOURS, draw_reliability, draw_risk_coverage, use_style
from evaluation.suites import SuiteResult
from evaluation.suites.calibration import HEADS, Selection

RELIABILITY, RISK_COVERAGE = "reliability.svg", "risk-coverage.svg"

_PANEL = 3.6  # inches
_LONGEST_NAME = 36  # characters that fit above a panel
_MOST_RISK = 0.5  # of the scale: above it stand a few first rows with wide intervals, and nothing that anybody would serve


def draw(suites: Sequence[SuiteResult]) -> Mapping[str, str]:
    """SVG by file name; the same for the same ``suites``, and matplotlib's settings stay as they were."""
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "yingda"}):
        use_style(available=())  # the labels are English, and must not depend on the fonts of a machine
        mpl.rcParams["font.family"] = ["sans-serif"]  # names a family that every browser has after the one measured here
        figures = {RELIABILITY: reliability_figure(suites), RISK_COVERAGE: risk_coverage_figure(suites)}
        return {name: _svg(figure) for name, figure in figures.items()}


def reliability_figure(suites: Sequence[SuiteResult]) -> Figure:
    """A row of panels a suite, a panel a confidence, over all files pooled."""
    figure = Figure(figsize=(_PANEL * len(HEADS), _PANEL * len(suites)), layout="constrained")
    panels = figure.subplots(len(suites), len(HEADS), squeeze=False)
    for row, suite in zip(panels, suites, strict=True):
        for axes, (name, head) in zip(row, suite.calibrations[0].heads.items(), strict=True):
            draw_reliability(axes, head.bins)
            error = "no rows" if head.error.value is None else f"ECE {head.error.value:.3f}"
            axes.set_title(f"{suite.name[-_LONGEST_NAME:]}\n{name}, {error}", loc="left", fontsize=10)
    return figure


def risk_coverage_figure(suites: Sequence[SuiteResult]) -> Figure:
    """A panel a suite; the dot is where the engine stands."""
    figure = Figure(figsize=(1.5 * _PANEL * len(suites), 1.2 * _PANEL), layout="constrained")
    for axes, suite in zip(figure.subplots(1, len(suites), squeeze=False)[0], suites, strict=True):
        _draw_selection(axes, suite, suite.calibrations[0].selection)
    return figure


def _draw_selection(axes: Axes, suite: SuiteResult, selection: Selection | None) -> None:
    axes.set(xlabel="answerable messages with an accepted match", ylabel="accepted matches that are wrong")
    if selection is None:
        axes.set_title(f"{suite.name}: no answerable rows", loc="left", fontsize=10)
        return
    draw_risk_coverage(axes, selection.curve)
    axes.set_ylim(0, min(_MOST_RISK, 1.3 * max(float(selection.curve.risk.max()), 0.05)))
    axes.set_title(f"{suite.name}: AURC {selection.area:.3f}", loc="left", fontsize=10)
    coverage, accuracy = suite.measures["coverage"].value, suite.measures["match_accuracy"].value
    if coverage is not None and accuracy is not None:
        axes.plot(coverage, 1 - accuracy, "o", color=COLOURS["vermilion"], label="threshold of the bundle", clip_on=False, zorder=3)
        axes.legend(frameon=False, loc="upper left")


def _svg(figure: Figure) -> str:
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()

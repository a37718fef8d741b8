"""Pictures of a run, drawn without a screen: training curve, reliability diagrams, risk-coverage curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from training.run_record import History, is_name, section

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE = (6.0, 4.0)  # inches
_BIN = ("confidence", "accuracy")
_POINT = ("coverage", "risk")


def draw(histories: Sequence[History], report: Mapping[str, Any]) -> dict[str, Figure]:
    """Every figure that the facts allow, by file name."""
    curves = {_file("training", history.label): training_curve(history) for history in histories if history.epochs}
    return {**curves, **{name: figure for suite, found in report["suites"].items() for name, figure in _of_suite(suite, found)}}


def training_curve(history: History) -> Figure:
    """Each figure of ``history`` against the epochs; the loss has a scale of its own on the left."""
    figure, axes = _empty("training" + (f": {history.label}" if history.label else ""), "epoch", "loss")
    right = axes.twinx()
    steps = list(history.steps())
    for number, name in enumerate(dict.fromkeys(name for _, figures in steps for name in figures)):
        line = [(step, figures[name]) for step, figures in steps if name in figures]
        side = axes if "loss" in name else right
        side.plot(*zip(*line, strict=True), marker="o", label=name, color=f"C{number}")
    right.set_ylabel("share")
    axes.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def reliability_diagram(title: str, bins: Sequence[Mapping[str, float]]) -> Figure:
    """Accuracy against mean confidence, one point a bin, beside the line of perfect calibration.

    A. Niculescu-Mizil, R. Caruana, "Predicting good probabilities with supervised learning", ICML 2005.
    """
    figure, axes = _empty(title, *_BIN)
    axes.plot([0, 1], [0, 1], linestyle="--", color="grey")
    axes.plot(*([part[name] for part in bins] for name in _BIN), marker="o")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    return figure


def risk_coverage_curve(title: str, points: Sequence[Mapping[str, float]]) -> Figure:
    """Share of accepted matches that are wrong against the share of answerable messages that are accepted.

    R. El-Yaniv, Y. Wiener, "On the foundations of noise-free selective classification", JMLR 11 (2010).
    """
    figure, axes = _empty(title, *_POINT)
    axes.plot(*([point[name] for point in points] for name in _POINT))
    axes.set(xlim=(0, 1), ylim=(0, None))
    return figure


def _of_suite(suite: str, found: Mapping[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Reliability of each confidence and the risk-coverage curve over all files of ``suite``, as far as its report holds them."""
    pooled = section(found, "calibration", "pooled")
    for name, head in section(pooled, "heads").items():
        if is_name(name) and _has_all(bins := section(head).get("bins", []), _BIN):
            yield _file("reliability", f"{suite}_{name}"), reliability_diagram(f"{suite}: {name}", bins)
    if _has_all(points := section(pooled, "risk_coverage").get("points", []), _POINT):
        yield _file("risk_coverage", suite), risk_coverage_curve(f"{suite}: match", points)


def _has_all(points: Any, keys: Sequence[str]) -> bool:
    rows = points if isinstance(points, list) else []
    return bool(rows) and all(isinstance(row, Mapping) and all(isinstance(row.get(key), int | float) for key in keys) for row in rows)


def _file(kind: str, name: str) -> str:
    return "".join(char if char.isalnum() else "_" for char in f"{kind}_{name}".rstrip("_")) + ".png"


def _empty(title: str, x: str, y: str) -> tuple[Figure, Any]:
    # a figure of its own instead of pyplot: no screen, no global state; it is drawn by Agg when saved
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    # a suite may be named after any file, but the font that comes with matplotlib is Latin
    axes.set(title=title.encode("ascii", "replace").decode(), xlabel=x, ylabel=y)
    return figure, axes

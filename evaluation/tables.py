"""Tables of Markdown, and how a figure is written in a cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from evaluation.metrics import Measure


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a Markdown table, then an empty one."""
    yield _line(titles)
    yield _line(["---"] * len(titles))
    yield from (_line(row) for row in rows)
    yield ""


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


def interval_cell(measure: Measure) -> str:
    """``0.967 [0.948, 0.979]``, without an interval where there is none, or a dash."""
    bounded = measure.low is not None and measure.high is not None
    return f"{figure(measure)} [{measure.low:.3f}, {measure.high:.3f}]" if bounded else figure(measure)


def figure(measure: Measure) -> str:
    """``0.967``, or a dash where no row counts."""
    return "–" if measure.value is None else f"{measure.value:.3f}"

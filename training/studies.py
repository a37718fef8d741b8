"""Studies beside the pipeline (more data, fewer layers, unseen entries), as tables of the model card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from yingda.domain.errors import MaterialError

STUDIES = ("learning-curve", "depth", "held-out")
"""Files ``NAME.json`` of the folder of studies; the first two are lists of rows, the last is one row."""

_HEADS: Mapping[str, str] = MappingProxyType(
    {
        "trained_on": "trained on",
        "select_top1": "top-1 on selection rows",
        "calibrate_top1": "top-1 on calibration rows",
        "calibrate_coverage_at_95": "coverage of calibration rows at 95 % right",
        "calibrate_intent": "intent accuracy on calibration rows",
        "calibrate_sentiment": "sentiment accuracy on calibration rows",
        "size_mb": "MB",
        "cpu_ms": "ms a message on a CPU",
        "top1": "top-1",
        "top1_by_text_alone": "top-1 by the entry's text alone",
    }
)


def read_studies(folder: Path) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The rows of every study in ``folder`` by name; one without a file is left out. Raises MaterialError."""
    return {name: _rows(folder / f"{name}.json") for name in STUDIES if (folder / f"{name}.json").is_file()}


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)


def study_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line a row with every field of the rows, in the order in which the fields first come."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    titles = [_HEADS.get(name, name.replace("_", " ")) for name in names]
    return table(titles, [[shown(row.get(name)) for name in names] for row in rows])


def shown(value: object) -> str:
    """``value`` as a cell: three digits below one, two above, thousands of a count apart, an interval in brackets."""
    if value is None:
        return "–"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(shown, value)) + "]"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) <= 1 else f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _rows(path: Path) -> Sequence[Mapping[str, Any]]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise MaterialError(f"{path} cannot be read as JSON; run the study again or remove the file") from error
    rows = found if isinstance(found, list) else [found]
    if not rows or not all(isinstance(row, dict) and row and not any(isinstance(v, dict) for v in row.values()) for row in rows):
        raise MaterialError(f"{path} must hold figures by name, or a list of such rows; run the study again or remove the file")
    return rows

"""What an examination beyond labelled rows gives to the report and to the gates: its own measures, facts and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluation.metrics import Measure

SHOWN = 5
"""Messages told for one figure."""


@dataclass(frozen=True, slots=True)
class Example:
    """A message that counts against a figure: where it stands and what came; ``text`` is None where it may not leave its file."""

    place: str
    text: str | None
    said: str


@dataclass(frozen=True, slots=True)
class Examination:
    """The result of one examination, such as robustness.

    ``measures`` are what gates may name, by metric. ``facts`` is all that was found, ready for JSON and the same
    whenever bundle, pack and files are. ``page`` holds lines of Markdown without the heading. ``missing`` says why a measure
    has no value, where that is not for want of rows. ``examples`` are some messages that count against a measure, by metric.
    """

    name: str
    measures: Mapping[str, Measure]
    facts: Mapping[str, Any]
    page: Sequence[str]
    missing: str = ""
    examples: Mapping[str, tuple[Example, ...]] = field(default_factory=dict)

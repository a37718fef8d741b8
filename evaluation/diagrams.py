"""Who draws the diagrams of a report: matplotlib where it is installed, else nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import ModuleType

from evaluation.suites import SuiteResult

Drawer = Callable[[Sequence[SuiteResult]], Mapping[str, str]]
"""Gives SVG pictures by file name."""


def find_drawer(load: Callable[[str], ModuleType] = import_module) -> Drawer:
    """The drawer of ``evaluation.figures``; one that draws nothing where matplotlib is not installed."""
    try:
        drawer: Drawer = load("evaluation.figures").draw
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        return lambda _: {}
    return drawer

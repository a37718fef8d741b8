"""Every event that the service logs is documented, with its fields."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
LEVELS = frozenset({"debug", "info", "warning", "error"})


def logged() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each event named in the service's source, with the fields that are named beside it."""
    for path in sorted((ROOT / "serving").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS and node.args):
                continue
            if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
                yield node.args[0].value, tuple(word.arg for word in node.keywords if word.arg)


EVENTS = sorted(set(logged()))


def rows() -> dict[str, str]:
    """The row of each event in the document's table."""
    table = DOCUMENT.split("## Log")[1].split("\n## ")[0]
    return {row.split("`")[1]: row for row in table.splitlines() if row.startswith("| `")}


def test_the_service_logs_events() -> None:
    assert {"request", "unexpected_error", "bundle_swapped", "audit_head"} <= {event for event, _ in EVENTS}


@pytest.mark.parametrize(("event", "fields"), EVENTS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_event_is_documented_with_its_fields(event: str, fields: tuple[str, ...]) -> None:
    assert event in rows(), f"docs/observability.md has no row for {event}"
    assert [name for name in fields if f"`{name}`" not in rows()[event]] == []


def test_no_event_is_documented_that_is_never_logged() -> None:
    # refusals at the door are logged by the code of the problem
    assert set(rows()) - {event for event, _ in EVENTS} == {"overloaded"}

"""The findings as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def to_markdown(tree: Mapping[str, Any]) -> str:
    """A table of all scenarios, then a section each."""
    run, scenarios = tree["run"], tree["scenarios"]
    lines = [
        "# Chaos",
        "",
        "Faults at a real server (`make chaos`, [docs/reliability.md](../../docs/reliability.md)). Times depend on how busy the",
        "machine is: they are told beside their targets, and no verdict hangs on them.",
        "",
        "| scenario | target | verdict | commit |",
        "|---|---|---|---|",
        *(f"| {each['scenario']} | {each['target']} | {_verdict(each)} | {_commit(each)} |" for each in scenarios),
        *(line for each in scenarios if not each["skipped"] for line in _section(each)),
        "",
        f"Python {run['python']}, {_versions(run['packages'])}; {run['cores']} cores, the server on one.",
    ]
    return "\n".join(lines) + "\n"


def _commit(scenario: Mapping[str, Any]) -> str:
    commit, dirty, _ = (scenario["commit"] or "–").partition("-dirty")
    return commit[:12] + dirty


def _verdict(scenario: Mapping[str, Any]) -> str:
    if scenario["skipped"]:
        return f"skipped: {scenario['skipped']}"
    late = sum(check["timed"] and not check["holds"] for check in scenario["checks"])
    return ("holds" if scenario["holds"] else "**fails**") + (f"; {late} timed target(s) missed" if late else "")


def _section(scenario: Mapping[str, Any]) -> list[str]:
    checks: Sequence[Mapping[str, Any]] = scenario["checks"]
    return [
        "",
        f"## {scenario['scenario']}",
        "",
        "| what | wanted | found | |",
        "|---|--:|--:|---|",
        *(f"| {check['name']} | {check['wanted']} | {check['found']} | {_mark(check)} |" for check in checks),
        *(f"| {name} | | {value} | |" for name, value in scenario["figures"].items()),
    ]


def _mark(check: Mapping[str, Any]) -> str:
    if check["holds"]:
        return "holds"
    return "missed" if check["timed"] else "**fails**"


def _versions(packages: Mapping[str, str | None]) -> str:
    return ", ".join(f"{name} {version}" for name, version in packages.items() if version)

"""The comparison as a page and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from evaluation.metrics import Measure
from evaluation.peers.engine import NAME as YINGDA
from evaluation.peers.results import PeerResult, State
from evaluation.peers.timing import Cost, Plan
from evaluation.provenance import Environment

_DIGITS = 6
_NONE = "–"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All peers of one run; ``files`` maps each test file to its SHA-256, ``rows`` counts what each peer could learn from.

    ``asked`` counts the messages of each suite.
    """

    results: tuple[PeerResult, ...]
    pack_digest: str
    lessons_digest: str
    rows: int
    files: Mapping[str, str]
    plan: Plan
    environment: Environment
    asked: Mapping[str, int] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)

    @property
    def yingda_ms(self) -> float | None:
        """CPU milliseconds a message of Yingda itself, where it took part."""
        costs = [result.cost for result in self.results if result.name == YINGDA]
        return costs[0].median_ms if costs and costs[0] is not None else None


def to_json(found: Comparison) -> str:
    """The comparison for programs."""
    tree = {
        "pack": {"digest": found.pack_digest},
        "lessons": {"digest": found.lessons_digest, "rows": found.rows},
        "files": dict(found.files),
        "asked": dict(found.asked),
        "timing": asdict(found.plan),
        "peers": [_peer(result, found.yingda_ms) for result in found.results],
        "run": {**asdict(found.environment), "machine": dict(found.machine)},
    }
    return json.dumps(tree, ensure_ascii=False, indent=2, default=dict) + "\n"


def to_markdown(found: Comparison) -> str:
    """The comparison for people: a table a suite, then what each peer is."""
    suites = dict.fromkeys(suite for result in found.results for suite in result.scores or {})
    lines = [
        "# Peers side by side",
        "",
        f"There are {found.rows:,} rows to learn from, the same for all: the pack's training messages and the wordings of its entries. "
        "Of how many each peer learnt stands beside it: some take few by their nature, or because more would take too long. Yingda's "
        "bundle was made before, from these rows and the log datasets that its model card names. Every peer answers the same messages, "
        "none of which is among the rows. CPU time: one message at a time, on one thread, "
        f"{found.plan.passes} passes over the same {found.plan.messages} messages (or all, where there are fewer), "
        "by turns, after a warm-up; median, and range over the passes. Brackets: two-sided 95 % Wilson interval; coverage at 95 % is no "
        "share of independent rows and has none.",
    ]
    for suite in suites:
        asked = f" ({found.asked[suite]:,} messages)" if suite in found.asked else ""
        lines += ["", f"## {suite}{asked}", "", *_suite(suite, found)]
    lines += ["", "## What they are", "", *_facts(found.results), "", "## This run", "", *_run(found)]
    return "\n".join(lines) + "\n"


def _suite(suite: str, found: Comparison) -> Iterator[str]:
    yield "| peer | learnt from | FAQ top-1 | intent | coverage at 95 % | CPU ms a message | Yingda = 1 |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for result in found.results:
        measures = (result.scores or {}).get(suite, {})
        shown = [_measure(measures.get(name)) for name in ("faq_top1", "intent_accuracy", "coverage_at_95")]
        learnt = _learnt(result)
        yield f"| {result.name} | {learnt} | {' | '.join(shown)} | {_cost(result.cost)} | {_ratio(result.cost, found.yingda_ms)} |"


def _facts(results: Sequence[PeerResult]) -> Iterator[str]:
    yield "| peer | version | installed MB | set up | state |"
    yield "|---|---|--:|---|---|"
    for result in results:
        size = _NONE if result.installed_mb is None else f"{result.installed_mb:.0f}"
        state = result.state.value if result.reason is None else f"{result.state.value}: {result.reason}"
        cells = (result.name, result.version or _NONE, size, result.note, state)
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _run(found: Comparison) -> Iterator[str]:
    environment, machine = found.environment, found.machine
    packages = ", ".join(f"{name} {version}" for name, version in environment.packages.items() if version)
    yield f"Commit {environment.commit or 'unknown'}; Python {environment.python}; {packages or 'packages unknown'}."
    if machine:
        yield f"Machine: {machine['cores']} cores, {machine['processor']}, {' '.join(machine['flags']) or 'no known vector instructions'}."
    yield ""
    yield "| what | SHA-256 |"
    yield "|---|---|"
    for name, digest in {"pack": found.pack_digest, "rows to learn from": found.lessons_digest, **found.files}.items():
        yield f"| {name} | `{digest}` |"


def _learnt(result: PeerResult) -> str:
    if result.learnt is not None:
        return f"{result.learnt:,} rows" if result.learnt else "no row"
    return "made before" if result.name == YINGDA and result.state is State.MEASURED else _NONE


def _measure(measure: Measure | None) -> str:
    if measure is None or measure.value is None:
        return _NONE
    interval = "" if measure.low is None or measure.high is None else f" [{measure.low:.3f}, {measure.high:.3f}]"
    return f"{measure.value:.3f}{interval}"


def _cost(cost: Cost | None) -> str:
    return _NONE if cost is None else f"{cost.median_ms:.3g} ({cost.low_ms:.3g} to {cost.high_ms:.3g})"


def _ratio(cost: Cost | None, yingda_ms: float | None) -> str:
    return _NONE if cost is None or not yingda_ms else f"{cost.median_ms / yingda_ms:.2f}"


def _peer(result: PeerResult, yingda_ms: float | None) -> dict[str, Any]:
    cost = result.cost
    return {
        "name": result.name,
        "state": State(result.state).value,
        "reason": result.reason,
        "version": result.version,
        "note": result.note,
        "installed_mb": result.installed_mb,
        "learnt_rows": result.learnt,
        "cpu_ms": None if cost is None else _timed(cost, yingda_ms),
        "suites": {suite: {name: _plain(value) for name, value in found.items()} for suite, found in (result.scores or {}).items()},
    }


def _timed(cost: Cost, yingda_ms: float | None) -> dict[str, Any]:
    ratio = cost.median_ms / yingda_ms if yingda_ms else None
    spent = {"median": cost.median_ms, "low": cost.low_ms, "high": cost.high_ms, "passes": list(cost.passes_ms)}
    return {**spent, "ratio_to_yingda": ratio}


def _plain(measure: Measure) -> dict[str, Any]:
    known = {name: value for name, value in asdict(measure).items() if value is not None}
    return {name: round(value, _DIGITS) if isinstance(value, float) else value for name, value in known.items()}

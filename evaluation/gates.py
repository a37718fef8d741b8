"""The conditions of a release, read from gates.yaml and held against results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

from evaluation.errors import EvaluationError
from evaluation.metrics import Measure
from evaluation.suites import METRICS, SuiteResult

SUITES = ("test", "multilingual")
"""Suites of a pack, the only ones a gate may name."""

_KEYS = frozenset({"suite", "metric", "at_least", "at_most"})


class Verdict(StrEnum):
    """Undecided means that the rows do not tell."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


class Side(StrEnum):
    """On which side of its limit a metric must stay; the limit itself passes."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition."""

    suite: str
    metric: str
    side: Side
    limit: float

    def __str__(self) -> str:
        return f"{self.suite}: {self.metric} {self.side.replace('_', ' ')} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class GateResult:
    """A gate, how it went and why."""

    gate: Gate
    verdict: Verdict
    detail: str


def read_gates(path: Path) -> tuple[Gate, ...]:
    """The gates of ``path``; raises EvaluationError on anything unknown."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise EvaluationError(f"{path}: is not valid YAML; correct it ({error})") from error
    if not isinstance(tree, dict) or set(tree) != {"gates"} or not isinstance(tree["gates"], list) or not tree["gates"]:
        raise EvaluationError(f"{path}: must hold one key 'gates' with a list of at least one gate")
    return tuple(_gate(fields, f"{path}: gate {number}") for number, fields in enumerate(tree["gates"], start=1))


def check(gates: Iterable[Gate], results: Sequence[SuiteResult]) -> tuple[GateResult, ...]:
    """One result a gate, in order."""
    suites = {result.name: result for result in results}
    return tuple(_check(gate, suites) for gate in gates)


def overall(results: Iterable[GateResult]) -> Verdict:
    """Failed when one gate failed, else undecided when one is, else passed."""
    verdicts = {result.verdict for result in results}
    return next((v for v in (Verdict.FAILED, Verdict.UNDECIDED) if v in verdicts), Verdict.PASSED)


def _check(gate: Gate, suites: Mapping[str, SuiteResult]) -> GateResult:
    if gate.suite not in suites:
        return GateResult(gate, Verdict.UNDECIDED, f"the pack has no suite '{gate.suite}'")
    measure = suites[gate.suite].measures[gate.metric]
    if measure.value is None:
        return GateResult(gate, Verdict.UNDECIDED, "no row counts for this metric, so it could not be computed")
    if _out_of_reach(gate, measure):
        detail = f"the set is too small to decide: {measure.n} rows, all of them right, would give {measure.reachable:.3f}"
        return GateResult(gate, Verdict.UNDECIDED, detail)
    holds = measure.value >= gate.limit if gate.side is Side.AT_LEAST else measure.value <= gate.limit
    return GateResult(gate, Verdict.PASSED if holds else Verdict.FAILED, f"{measure.value:.4f} over {measure.n} rows")


def _out_of_reach(gate: Gate, measure: Measure) -> bool:
    return gate.side is Side.AT_LEAST and measure.reachable is not None and measure.reachable < gate.limit


def _gate(fields: object, place: str) -> Gate:
    if not isinstance(fields, dict):
        raise EvaluationError(f"{place}: must be a mapping such as {{suite: test, metric: coverage, at_least: 0.8}}")
    unknown = sorted(str(key) for key in fields if key not in _KEYS)
    if unknown:
        raise EvaluationError(f"{place}: unknown key '{unknown[0]}'; use {', '.join(sorted(_KEYS))}")
    suite = _one_of(fields.get("suite"), SUITES, f"{place}: unknown suite")
    metric = _one_of(fields.get("metric"), METRICS, f"{place}: unknown metric")
    sides = [side for side in Side if side in fields]
    if len(sides) != 1:
        raise EvaluationError(f"{place}: name either at_least or at_most")
    limit = fields[sides[0].value]
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 <= limit <= 1:
        raise EvaluationError(f"{place}: {sides[0]} is {limit!r}; write a number from 0 to 1")
    return Gate(suite, metric, sides[0], float(limit))


def _one_of(value: object, known: Iterable[str], complaint: str) -> str:
    names = list(known)
    if not isinstance(value, str) or value not in names:
        raise EvaluationError(f"{complaint} {value!r}; use one of: {', '.join(names)}")
    return value

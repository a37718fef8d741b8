"""The conditions of a release, read from gates.yaml and held against results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import yaml

from evaluation import contamination, labels, promised, speed
from evaluation.conversations import examine as conversations
from evaluation.decidable import surely_missed, too_small
from evaluation.errors import EvaluationError
from evaluation.examination import Examination, Example
from evaluation.metrics import Measure
from evaluation.power import least_accepted, most_accepted, power_statement
from evaluation.robustness import metrics as robustness
from evaluation.suites import METRICS, SuiteResult

SUITES = ("test", "multilingual")
"""Suites of a pack that a gate may name."""
EXAMINATIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {module.NAME: module.METRICS for module in (labels, promised, robustness, conversations, contamination, speed)}
)
"""Further examinations that a gate may name: their metrics, each with its definition."""

MEASURED = frozenset({speed.NAME})
"""Examinations whose figures differ from run to run: they count, but stand in the report's ``run`` part."""

_KEYS = frozenset({"suite", "metric", "at_least", "at_most", "optional", "measured"})


class Verdict(StrEnum):
    """Undecided means that the rows do not tell; skipped, that an optional gate found no row to be held against."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    SKIPPED = "skipped"


class Side(StrEnum):
    """On which side of its limit a metric must stay; the limit itself passes."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition; an optional one is left out where the pack has no row for it.

    ``measured`` says that the figure is of one run of one machine and differs a little in the next.
    """

    suite: str
    metric: str
    side: Side
    limit: float
    optional: bool = False
    measured: bool = False

    def __str__(self) -> str:
        return f"{self.suite}: {self.metric} {self.side.replace('_', ' ')} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class GateResult:
    """A gate, how it went and why.

    ``margin`` is how far ``value`` keeps the limit, below 0 how far it misses; None where the rows do not tell. ``examples`` are
    some of the messages that count against the figure. ``refuses`` is told of shares: an engine whose true share lies beyond it
    on the wrong side misses the gate with a chance of 80 % (``evaluation.power.CHANCE``) over so many independent rows.
    """

    gate: Gate
    verdict: Verdict
    detail: str
    value: float | None = None
    margin: float | None = None
    examples: tuple[Example, ...] = ()
    refuses: float | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """What a suite or an examination has to hold against gates."""

    measures: Mapping[str, Measure]
    examples: Mapping[str, tuple[Example, ...]]
    missing: str = ""


def read_gates(path: Path) -> tuple[Gate, ...]:
    """The gates of ``path``; raises EvaluationError on anything unknown."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{path}: is not UTF-8; save it as UTF-8") from error
    except yaml.YAMLError as error:
        raise EvaluationError(f"{path}: is not valid YAML; correct it ({error})") from error
    if not isinstance(tree, dict) or set(tree) != {"gates"} or not isinstance(tree["gates"], list) or not tree["gates"]:
        raise EvaluationError(f"{path}: must hold one key 'gates' with a list of at least one gate")
    return tuple(_gate(fields, f"{path}: gate {number}") for number, fields in enumerate(tree["gates"], start=1))


def check(gates: Iterable[Gate], results: Sequence[SuiteResult], examinations: Sequence[Examination] = ()) -> tuple[GateResult, ...]:
    """One result a gate, in order."""
    suites = {found.name: _Found(found.measures, found.against) for found in results}
    further = {found.name: _Found(found.measures, found.examples, found.missing) for found in examinations}
    return tuple(_check(gate, {**suites, **further}) for gate in gates)


def overall(results: Iterable[GateResult]) -> Verdict:
    """Failed when one gate failed, else undecided when one is, else passed; what was skipped says nothing."""
    verdicts = {result.verdict for result in results}
    # where every gate was skipped, nothing was shown
    return next((v for v in (Verdict.FAILED, Verdict.UNDECIDED, Verdict.PASSED) if v in verdicts), Verdict.UNDECIDED)


def _check(gate: Gate, known: Mapping[str, _Found]) -> GateResult:
    if gate.suite not in known:
        return _no_rows(gate, f"the pack has no suite '{gate.suite}'")
    found = known[gate.suite]
    measure, examples = found.measures[gate.metric], found.examples.get(gate.metric, ())
    if measure.value is None:
        return _no_rows(gate, found.missing or "no row counts for this metric, so it could not be computed")
    floor, ceiling = (gate.limit if gate.side is side else None for side in Side)
    reason = too_small(gate.metric, measure, floor=floor, ceiling=ceiling)
    if reason is not None and not surely_missed(measure, floor=floor, ceiling=ceiling):
        return GateResult(gate, Verdict.UNDECIDED, reason, measure.value, examples=examples)
    margin = measure.value - gate.limit if floor is not None else gate.limit - measure.value
    detail = f"{measure.value:.4f} over {measure.n} rows"
    refuses = _refuses(gate, measure)
    if margin >= 0:
        return GateResult(gate, Verdict.PASSED, detail, measure.value, margin, examples, refuses)
    return GateResult(gate, Verdict.FAILED, detail + _power(gate, measure), measure.value, margin, examples, refuses)


def _no_rows(gate: Gate, reason: str) -> GateResult:
    return GateResult(gate, Verdict.SKIPPED if gate.optional else Verdict.UNDECIDED, reason)


def _refuses(gate: Gate, measure: Measure) -> float | None:
    if measure.low is None:
        return None
    return (least_accepted if gate.side is Side.AT_LEAST else most_accepted)(measure.n, gate.limit)


def _power(gate: Gate, measure: Measure) -> str:
    """What the rows can decide, for a gate on a lower bound: whether it failed by the engine or by the number of rows."""
    is_bound = gate.side is Side.AT_LEAST and measure.reachable is not None
    return f"; {power_statement(measure, gate.limit)}" if is_bound else ""


def _gate(fields: object, place: str) -> Gate:
    if not isinstance(fields, dict):
        raise EvaluationError(f"{place}: must be a mapping such as {{suite: test, metric: coverage, at_least: 0.8}}")
    unknown = sorted(str(key) for key in fields if key not in _KEYS)
    if unknown:
        raise EvaluationError(f"{place}: unknown key '{unknown[0]}'; use {', '.join(sorted(_KEYS))}")
    suite = _one_of(fields.get("suite"), (*SUITES, *EXAMINATIONS), f"{place}: unknown suite")
    metric = _one_of(fields.get("metric"), EXAMINATIONS.get(suite, METRICS), f"{place}: unknown metric")
    sides = [side for side in Side if side in fields]
    if len(sides) != 1:
        raise EvaluationError(f"{place}: name either at_least or at_most")
    limit = fields[sides[0].value]
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 <= limit <= 1:
        raise EvaluationError(f"{place}: {sides[0]} is {limit!r}; write a number from 0 to 1")
    optional, measured = (_flag(fields, name, place) for name in ("optional", "measured"))
    if measured != (suite in MEASURED):
        advice = "differs from run to run; write measured: true" if suite in MEASURED else "is the same in every run; leave measured out"
        raise EvaluationError(f"{place}: {suite} {advice}")
    return Gate(suite, metric, sides[0], float(limit), optional, measured)


def _flag(fields: Mapping[object, object], name: str, place: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise EvaluationError(f"{place}: {name} is {value!r}; write true or leave it out")
    return value


def _one_of(value: object, known: Iterable[str], complaint: str) -> str:
    names = list(known)
    if not isinstance(value, str) or value not in names:
        raise EvaluationError(f"{complaint} {value!r}; use one of: {', '.join(names)}")
    return value

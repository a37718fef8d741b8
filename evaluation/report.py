"""The report as one structure, and the files it is written to."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evaluation.examination import Examination
from evaluation.gates import MEASURED, GateResult, Verdict, overall
from evaluation.metrics import Measure
from evaluation.provenance import Environment
from evaluation.reliability import Bin
from evaluation.selective import RiskCoverage
from evaluation.suites import Calibration, Slice, SuiteResult, confusion_json, latency_json
from evaluation.took import Took
from yingda.domain.identity import ModelIdentity

_DIGITS = 6  # finer differences are rounding of the runtime, not of the model


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found; ``files`` maps each test file to its SHA-256, ``took`` each part to the time it took."""

    bundle: ModelIdentity
    pack_digest: str
    files: Mapping[str, str]
    suites: tuple[SuiteResult, ...]
    gates: tuple[GateResult, ...]
    environment: Environment
    examinations: tuple[Examination, ...] = ()
    took: Mapping[str, Took] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The worst of all gates."""
        return overall(self.gates)


def to_json(report: Report, *, diagrams: Collection[str] = ()) -> str:
    """The report for programs; ``diagrams`` names the pictures beside it.

    Everything outside ``run`` is the same whenever bundle, pack and files are.
    """
    tree = {
        "bundle": asdict(report.bundle),
        "pack": {"digest": report.pack_digest},
        "files": dict(report.files),
        "verdict": report.verdict,
        "gates": [_gate(result) for result in report.gates],
        "suites": {result.name: _suite(result) for result in report.suites},
        "examinations": {found.name: _examination(found) for found in report.examinations if found.name not in MEASURED},
        "run": {
            "commit": report.environment.commit,
            "python": report.environment.python,
            "packages": dict(report.environment.packages),
            "diagrams": sorted(diagrams),
            "took": {name: {"wall_s": round(took.wall_s, 1), "cpu_s": round(took.cpu_s, 1)} for name, took in report.took.items()},
            "latency_ms": {result.name: latency_json(result.latency) for result in report.suites},
            **{found.name: _examination(found) for found in report.examinations if found.name in MEASURED},
        },
    }
    return json.dumps(tree, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def write_whole(folder: Path, files: Mapping[str, str]) -> None:
    """Write every file into ``folder`` under its name, or leave all of them as they were; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    drafts = {folder / name: folder / f".{name}.{os.getpid()}" for name in files}
    try:
        for path, draft in drafts.items():
            draft.write_text(files[path.name], encoding="utf-8")
        for path, draft in drafts.items():
            draft.replace(path)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)


def _gate(result: GateResult) -> dict[str, Any]:
    """A gate's line; the figure of a measured one is told under ``run`` alone."""
    gate = result.gate
    value, margin = (None, None) if gate.measured else (result.value, result.margin)
    return _rounded(
        {
            "suite": gate.suite,
            "metric": gate.metric,
            gate.side.value: gate.limit,
            "verdict": result.verdict,
            "detail": f"measured in this run, see run.{gate.suite}" if gate.measured else result.detail,
            "value": value,
            "margin": margin,
            "refuses": result.refuses,
            "examples": [_without_none(asdict(example), "text") for example in result.examples],
        }
    )


def _suite(result: SuiteResult) -> dict[str, Any]:
    return {
        "rows": result.rows,
        "measures": {name: _measure(measure) for name, measure in result.measures.items()},
        "slices": [_slice(part) for part in result.slices],
        "calibration": {found.part: _calibration(found) for found in result.calibrations},
        "confusion": confusion_json(result.confusion),
        "wrong_matches": [_rounded(_without_none(asdict(wrong), "text")) for wrong in result.mistakes],
    }


def _examination(found: Examination) -> dict[str, Any]:
    return {"measures": {name: _measure(measure) for name, measure in found.measures.items()}, **found.facts}


def _slice(part: Slice) -> dict[str, Any]:
    measures = {name: _measure(measure) for name, measure in part.measures.items()}
    return {"by": part.by, "value": part.value, "rows": part.rows, "measures": measures}


def _calibration(found: Calibration) -> dict[str, Any]:
    heads = {name: {"ece": _measure(head.error), "bins": [_bin(part) for part in head.bins]} for name, head in found.heads.items()}
    selection = found.selection
    curve = None if selection is None else {"aurc": round(selection.area, _DIGITS), "points": _points(selection.curve)}
    return {"rows": found.rows, "heads": heads, "risk_coverage": curve}


def _bin(part: Bin) -> dict[str, Any]:
    share = part.accuracy
    return _rounded({"rows": share.n, "confidence": part.confidence, "accuracy": share.value, "low": share.low, "high": share.high})


def _points(curve: RiskCoverage) -> list[dict[str, Any]]:
    names = ("threshold", "accepted", "coverage", "risk", "low", "high")
    arrays = (curve.thresholds, curve.accepted, curve.coverage, curve.risk, curve.low, curve.high)
    columns = (values.tolist() for values in arrays)
    return [_rounded(dict(zip(names, point, strict=True))) for point in zip(*columns, strict=True)]


def _measure(measure: Measure) -> dict[str, Any]:
    fields = {"value": measure.value, "n": measure.n, "low": measure.low, "high": measure.high}
    return _rounded(_without_none(fields, "low", "high"))


def _without_none(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in names or value is not None}


def _rounded(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, _DIGITS) if isinstance(value, float) else value for key, value in fields.items()}

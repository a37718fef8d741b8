"""What a retraining came to, for people: read from the reports of its stages, nothing is measured here."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.card import figures_table
from training.pipeline import AUDIT, CANDIDATE, COMPARISON, REPORT
from yingda.domain.errors import MaterialError

PROMOTE, KEEP = "promote", "keep"
PASSED = "passed"
_IMPORTED_LINES = 30


@dataclass(frozen=True)
class Verdict:
    """The reports of a run: evaluation of the candidate, and its comparison with the champion."""

    report: Mapping[str, Any]
    comparison: Mapping[str, Any]

    @property
    def is_promote(self) -> bool:
        """True when the comparison recommends the candidate and the candidate passes every gate of the evaluation."""
        return bool(self.comparison["recommendation"] == PROMOTE and self.report["verdict"] == PASSED)

    @property
    def advice(self) -> str:
        """``promote`` or ``keep``."""
        return PROMOTE if self.is_promote else KEEP

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why: the comparison's reasons, or the gates that alone stand against it."""
        if self.is_promote or self.comparison["recommendation"] != PROMOTE:
            return tuple(self.comparison["reasons"])
        return tuple(
            f"the candidate {_missed(gate)}" for gate in self.report.get("gates", ()) if gate["verdict"] in ("failed", "undecided")
        )

    @property
    def candidate_sha256(self) -> str:
        """Identity of the bundle that was compared."""
        return str(self.comparison["candidate"]["bundle"]["sha256"])

    @property
    def champion_sha256(self) -> str:
        """Identity of the bundle that it was compared with."""
        return str(self.comparison["champion"]["bundle"]["sha256"])


def read_verdict(run: Path) -> Verdict:
    """The reports of the run folder ``run``; raises MaterialError where one is missing."""
    return Verdict(_read(run / REPORT / "evaluation.json"), _read(run / COMPARISON / "compare.json"))


def page(verdict: Verdict, run: Path, champion: Path, *, profile: str) -> str:
    """The whole verdict as Markdown, with the command that promotes."""
    lines = [f"# Retraining: {verdict.advice}\n", *(f"- {reason}" for reason in verdict.reasons), ""]
    lines += ["## Imported\n", "```", *_imported(run), "```", "", f"Audit of the imported messages: `{run / AUDIT}`.\n"]
    lines += [f"## Candidate ({profile} profile)\n", *_candidate(verdict), f"Bundle: `{run / CANDIDATE}`.\n"]
    lines += [f"## Against {champion}\n", *_comparison(verdict), f"Every changed answer: `{run / COMPARISON / 'compare.md'}`.\n"]
    lines += ["## To promote\n", "" if verdict.is_promote else "Not recommended; if you decide otherwise:\n"]
    lines += ["```bash", promote_command(run, champion) + ("" if verdict.is_promote else " --anyway"), "```"]
    return "\n".join(lines) + "\n"


def _missed(gate: Mapping[str, Any]) -> str:
    """``failed robustness: invariance at least 0.99: 0.9500 over 1576 rows``."""
    side = next(name for name in ("at_least", "at_most") if name in gate)
    verb = "failed" if gate["verdict"] == "failed" else "could not be held against"
    return f"{verb} {gate['suite']}: {gate['metric']} {side.replace('_', ' ')} {gate[side]:g}: {gate['detail']}"


def card(verdict: Verdict) -> str:
    """The model card of a promoted candidate: what it was made from and how it did, without a path of this machine."""
    bundle = verdict.comparison["candidate"]["bundle"]
    lines = [f"# Model card: retrained bundle {bundle['version']}\n", f"SHA-256 `{bundle['sha256']}`.\n"]
    lines += ["Trained by `python -m training.retrain` on the pack and on imported logs of conversations; those logs are not part of"]
    lines += ["the bundle. `manifest.json` holds the parameters and the digests of data and knowledge.\n", "## Evaluation\n"]
    lines += [*_candidate(verdict), "## Against the model before\n", *_comparison(verdict)]
    return "\n".join(lines)


def promote_command(run: Path, champion: Path) -> str:
    """The command that puts the candidate of ``run`` in the place of ``champion``."""
    words = ["python", "-m", "training.retrain", "--promote", "--run", str(run)]
    return shlex.join(words if champion == Path("models/current") else [*words, "--champion", str(champion)])


def _candidate(verdict: Verdict) -> Iterator[str]:
    yield f"Gates: {verdict.report['verdict']}.\n"
    yield figures_table(verdict.report, "en")
    yield ""


def _comparison(verdict: Verdict) -> Iterator[str]:
    together = verdict.comparison["parts"]["together"]
    yield f"The same {together['rows']} messages; candidate minus champion, with the 95 % interval of the paired bootstrap.\n"
    yield "| metric | champion | candidate | difference | 95 % interval |\n| --- | --- | --- | --- | --- |"
    for name, found in together["differences"].items():
        cells = (_figure(found[key]) for key in ("champion", "candidate"))
        interval = "–" if found["low"] is None else f"[{found['low']:+.3f}, {found['high']:+.3f}]"
        change = "–" if found["difference"] is None else f"{found['difference']:+.3f}"
        yield f"| {name} | {' | '.join(cells)} | {change} | {interval} |"
    yield f"\n{verdict.comparison['changed']} answers change.\n"


def _imported(run: Path) -> list[str]:
    """The last lines of what the import said."""
    path = run / "output" / "import.txt"
    said = path.read_text("utf-8", errors="replace").strip().splitlines() if path.is_file() else []
    return said[-_IMPORTED_LINES:] or ["the import said nothing"]


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise MaterialError(f"{path}: cannot be read; run the retraining to its end first") from error
    return found

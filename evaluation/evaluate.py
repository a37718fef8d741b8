"""One examination of an engine from the first message to the last gate."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress

from evaluation.contamination import examine_contamination
from evaluation.examination import Examination
from evaluation.gates import Gate, check
from evaluation.material import TEST, Material, Suite
from evaluation.outcomes import Answerer, Judged, judge
from evaluation.promised import examine_promise
from evaluation.provenance import read_environment
from evaluation.report import Report
from evaluation.robustness.examine import examine_robustness, workload
from evaluation.suites import SuiteResult, examine


def evaluate(engine: Answerer, material: Material, gates: Sequence[Gate]) -> Report:
    """Everything that is measured of ``engine``, held against ``gates``; it must have been opened from the bundle of ``material``."""
    judged, robustness = _ask(engine, material)
    results = tuple(found for suite in material.suites for found in _examine(suite, judged[suite.name], engine))
    examinations = (
        examine_promise(material.prices, judged[TEST]),
        robustness,
        examine_contamination(material.bundle, material.own_files, further=material.further_files),
    )
    return Report(
        bundle=engine.identity,
        pack_digest=engine.knowledge.digest,
        files={file.name: file.sha256 for file in material.files} | dict(material.cases_digest),
        suites=results,
        gates=check(gates, results, examinations),
        environment=read_environment(),
        examinations=examinations,
    )


def _ask(engine: Answerer, material: Material) -> tuple[dict[str, list[Judged]], Examination]:
    """Every question to the engine: the judged rows of each suite, and robustness."""
    rows, cases = material.public_rows, material.cases
    work = sum(len(file.rows) for file in material.files) + workload(rows, cases, engine.knowledge.taxonomy)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("messages", total=work)

        def tick() -> None:
            progress.advance(task)

        judged = {suite.name: judge(engine, (row for file in suite.files for row in file.rows), tick=tick) for suite in material.suites}
        return judged, examine_robustness(engine, rows, cases, tick=tick)


def _examine(suite: Suite, judged: list[Judged], engine: Answerer) -> list[SuiteResult]:
    parts: dict[str, list[Judged]] = {suite.name: judged}
    if any(item.row.sure is not None for item in judged):
        parts[f"{suite.name} (sure)"] = [item for item in judged if item.row.sure]
    categories = {code: intent.category for code, intent in engine.knowledge.taxonomy.intents.items()}
    return [examine(name, rows, texts=suite.public, categories=categories) for name, rows in parts.items() if rows]

"""One examination of an engine from the first message to the last gate."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress

from evaluation.contamination import examine_contamination
from evaluation.conversations.examine import NAME as CONVERSATIONS
from evaluation.conversations.examine import examine_conversations
from evaluation.conversations.examine import workload as conversation_workload
from evaluation.examination import Examination
from evaluation.gates import Gate, check
from evaluation.labels import examine_labels
from evaluation.material import TEST, Material, Suite
from evaluation.near_copies import NearCopies, near_copies
from evaluation.outcomes import Answerer, Judged, judge
from evaluation.promised import examine_promise
from evaluation.provenance import read_environment
from evaluation.report import Report
from evaluation.robustness.examine import examine_robustness, workload
from evaluation.robustness.metrics import NAME as ROBUSTNESS
from evaluation.speed import NAME as SPEED
from evaluation.speed import Loop, examine_speed
from evaluation.speed import workload as speed_workload
from evaluation.suites import SuiteResult, examine
from evaluation.took import Stopwatch

FIGURES = "figures"
"""Name of the time that counting takes, once all is asked."""


def evaluate(
    engine: Answerer, material: Material, gates: Sequence[Gate], *, loop: Loop | None = None, watch: Stopwatch | None = None
) -> Report:
    """Everything that is measured of ``engine``, held against ``gates``; it must have been opened from the bundle of ``material``.

    Its knowledge need not be that which the rows are labelled by: a label that it lacks counts as missed.

    ``loop`` is the bare encoder of that bundle, whose speed is the measure of the engine's. ``watch`` was started when the work
    began, of which this is a part.
    """
    watch = watch or Stopwatch()
    judged, robustness, conversations, speed = _ask(engine, material, loop, watch)
    with watch.part(FIGURES):
        results = tuple(found for suite in material.suites for found in _examine(suite, judged[suite.name], engine))
        examinations = (
            examine_labels(material.own_files, engine.knowledge),
            examine_promise(material.promised, judged[TEST]),
            robustness,
            conversations,
            examine_contamination(
                material.bundle, [*material.own_files, *material.lines], further=material.further_files, near=_near_copies(material)
            ),
            speed,
        )
    return Report(
        bundle=engine.identity,
        pack_digest=engine.knowledge.digest,
        files=material.digests,
        suites=results,
        gates=check(gates, results, examinations),
        environment=read_environment(),
        examinations=examinations,
        took=watch.read(),
    )


def _near_copies(material: Material) -> NearCopies:
    return near_copies([(row.place, row.text) for file in material.own_files for row in file.rows], material.taught)


def _ask(
    engine: Answerer, material: Material, loop: Loop | None, watch: Stopwatch
) -> tuple[dict[str, list[Judged]], Examination, Examination, Examination]:
    """Every question to the engine: the judged rows of each suite, robustness, conversations, and speed."""
    rows, cases = material.public_rows, material.cases
    work = sum(len(file.rows) for file in material.files) + workload(rows, cases, engine.knowledge.taxonomy)
    work += conversation_workload(material.scenarios) + speed_workload(rows, loop)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("messages", total=work)

        def tick() -> None:
            progress.advance(task)

        judged = dict[str, list[Judged]]()
        for suite in material.suites:
            with watch.part(suite.name):
                judged[suite.name] = judge(engine, (row for file in suite.files for row in file.rows), tick=tick)
        with watch.part(ROBUSTNESS):
            robustness = examine_robustness(engine, rows, cases, tick=tick)
        with watch.part(CONVERSATIONS):
            conversations = examine_conversations(engine, material.scenarios, tick=tick)
        with watch.part(SPEED):
            speed = examine_speed(engine, loop, rows, tick=tick)
        return judged, robustness, conversations, speed


def _examine(suite: Suite, judged: list[Judged], engine: Answerer) -> list[SuiteResult]:
    parts: dict[str, list[Judged]] = {suite.name: judged}
    if any(item.row.sure is not None for item in judged):
        parts[f"{suite.name} (sure)"] = [item for item in judged if item.row.sure]
    categories = {code: intent.category for code, intent in engine.knowledge.taxonomy.intents.items()}
    return [examine(name, rows, texts=suite.public, categories=categories) for name, rows in parts.items() if rows]

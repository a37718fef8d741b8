"""The command: read, run the engine, measure, write, print the verdict."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import Progress

from evaluation.diagrams import Drawer, find_drawer
from evaluation.errors import EvaluationError
from evaluation.gates import Gate, Verdict, check, read_gates
from evaluation.markdown import to_markdown, to_screen
from evaluation.outcomes import Answerer, Judged, judge
from evaluation.provenance import read_environment
from evaluation.report import Report, to_json, write_whole
from evaluation.rows import TestFile, pack_files, read_extra
from evaluation.suites import SuiteResult, examine
from yingda.domain.errors import YingdaError
from yingda.domain.knowledge import Pack
from yingda.pack import read_pack

EXIT_CODES: Mapping[Verdict, int] = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.UNDECIDED: 2}
_COULD_NOT_RUN = 2
_MULTILINGUAL = "multilingual.jsonl"


class Opener(Protocol):
    """Opens a bundle with the knowledge of a pack."""

    def __call__(self, bundle: Path, *, pack: Path) -> Answerer: ...


@dataclass(frozen=True, slots=True)
class Suite:
    """Files examined together; ``public`` tells whether their texts may be quoted."""

    name: str
    files: tuple[TestFile, ...]
    public: bool


def run(argv: Sequence[str], *, opener: Opener, gates: Path | None = None, draw: Drawer | None = None) -> int:
    """Exit code: 0 passed, 1 failed a gate, 2 could not run or could not decide. ``draw`` makes the diagrams of the report."""
    args = _parse(argv)
    try:
        conditions = read_gates(gates or Path(__file__).with_name("gates.yaml"))
        pack = read_pack(args.pack)
        suites = gather(args.pack, pack, args.extra)
        engine = opener(args.bundle, pack=args.pack)
        report = evaluate(engine, suites, conditions)
        write_whole(args.out, _files(report, (draw or find_drawer())(report.suites)))
    except YingdaError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or args.out}: {error.strerror}; check that it exists and may be used")
    sys.stdout.write(to_screen(report))
    return EXIT_CODES[report.verdict]


def gather(root: Path, pack: Pack, extra: Sequence[Path]) -> tuple[Suite, ...]:
    """The suites of a pack, then one for each further file; raises EvaluationError."""
    files = pack_files(root, pack)
    own = {
        "test": tuple(file for file in files if file.name.startswith("test-")),
        "multilingual": tuple(file for file in files if file.name == _MULTILINGUAL),
    }
    further = [read_extra(path, pack.knowledge) for path in extra]
    names = [file.name for file in further]
    for name in names:
        if names.count(name) > 1:
            raise EvaluationError(f"{name}: named twice under --extra; rename one file or its folder")
    return (
        *(Suite(name, found, public=True) for name, found in own.items() if found),
        *(Suite(file.name, (file,), public=False) for file in further),
    )


def evaluate(engine: Answerer, suites: Sequence[Suite], gates: Sequence[Gate]) -> Report:
    """One pass of ``engine`` over every suite, measured and held against ``gates``."""
    total = sum(len(file.rows) for suite in suites for file in suite.files)
    results: list[SuiteResult] = []
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("messages", total=total)
        for suite in suites:
            results += _examine(engine, suite, tick=lambda: progress.advance(task))
    return Report(
        bundle=engine.identity,
        pack_digest=engine.knowledge.digest,
        files={file.name: file.sha256 for suite in suites for file in suite.files},
        suites=tuple(results),
        gates=check(gates, results),
        environment=read_environment(),
    )


def _files(report: Report, diagrams: Mapping[str, str]) -> Mapping[str, str]:
    pages = {"evaluation.json": to_json(report, diagrams=diagrams), "evaluation.md": to_markdown(report, diagrams=diagrams)}
    return {**pages, **diagrams}


def _examine(engine: Answerer, suite: Suite, *, tick: Callable[[], None]) -> list[SuiteResult]:
    judged = judge(engine, (row for file in suite.files for row in file.rows), tick=tick)
    parts: dict[str, list[Judged]] = {suite.name: judged}
    if any(item.row.sure is not None for item in judged):
        parts[f"{suite.name} (sure)"] = [item for item in judged if item.row.sure]
    return [examine(name, rows, texts=suite.public) for name, rows in parts.items() if rows]


def _refuse(reason: str) -> int:
    sys.stderr.write(f"evaluation could not run: {reason}\n")
    return _COULD_NOT_RUN


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    more = "`python -m evaluation compare A B` holds two bundles against each other."
    parser = argparse.ArgumentParser(prog="python -m evaluation", description=__doc__, epilog=more)
    parser.add_argument("--pack", type=Path, default=Path("data/packs/retail"), help="the pack to examine with")
    parser.add_argument("--bundle", type=Path, default=Path("models/current"), help="the bundle under examination")
    parser.add_argument("--out", type=Path, default=Path("reports"), help="folder for evaluation.json, .md and diagrams")
    parser.add_argument("--extra", type=Path, nargs="+", action="extend", default=[], metavar="FILE", help="more rows")
    return parser.parse_args(argv)

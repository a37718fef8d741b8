"""Champion against candidate on the same messages: exit 0 promote, 1 keep, 2 could not run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import Progress

from evaluation.comparison import TOGETHER, Pairs, changes, compare_parts, duels
from evaluation.comparison_report import Comparison, Contender, to_json, to_markdown, to_screen
from evaluation.contamination import examine_contamination
from evaluation.errors import EvaluationError
from evaluation.examination import Examination
from evaluation.gates import SUITES, Gate, check, read_gates
from evaluation.material import Suite, gather
from evaluation.outcomes import Answerer, Judged, judge
from evaluation.provenance import read_environment
from evaluation.recommendation import Advice, recommend
from evaluation.report import write_whole
from evaluation.suites import SuiteResult, examine
from yingda.domain.errors import YingdaError
from yingda.pack import read_pack

EXIT_CODES: Mapping[Advice, int] = {Advice.PROMOTE: 0, Advice.KEEP: 1}
_COULD_NOT_RUN = 2


class Opener(Protocol):
    """Opens a bundle with the knowledge inside it: the two may have been made from different packs."""

    def __call__(self, bundle: Path, /) -> Answerer: ...


def run(argv: Sequence[str], *, opener: Opener, gates: Path | None = None) -> int:
    """Exit code: 0 promote, 1 keep, 2 could not run."""
    args = _parse(argv)
    try:
        conditions = read_gates(gates or Path(__file__).with_name("gates.yaml"))
        suites = gather(args.pack, read_pack(args.pack), args.extra)
        engines = {path: opener(path) for path in (args.champion, args.candidate)}
        # what the champion does not know yet, it misses: that is a reason to retrain; a candidate must know it
        check_labels(args.candidate, engines[args.candidate], suites)
        seen = examine_contamination(args.candidate, [file for suite in suites if suite.public for file in suite.files])
        found = compare(engines[args.champion], engines[args.candidate], suites, conditions, seen=seen)
        write_whole(args.out, {"compare.json": to_json(found), "compare.md": to_markdown(found)})
    except YingdaError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or args.out}: {error.strerror}; check that it exists and may be used")
    sys.stdout.write(to_json(found) if args.json else to_screen(found, args.out / "compare.md"))
    return EXIT_CODES[found.recommendation.advice]


def check_labels(path: Path, engine: Answerer, suites: Sequence[Suite]) -> None:
    """Raise EvaluationError at the first row whose label the bundle at ``path`` does not know: it could not be right there."""
    knowledge = engine.knowledge
    for row in (row for suite in suites for file in suite.files for row in file.rows):
        unknown = [entry for entry in (row.faq, *row.also) if entry is not None and entry not in knowledge.faq]
        if row.intent is not None and row.intent not in knowledge.taxonomy.intents:
            raise _unknown(path, "intent", row.intent, row.place)
        if unknown:
            raise _unknown(path, "entry", unknown[0], row.place)


def compare(
    champion: Answerer, candidate: Answerer, suites: Sequence[Suite], gates: Sequence[Gate], *, seen: Examination | None = None
) -> Comparison:
    """One pass of both engines over every suite, held against each other and against ``gates``.

    ``seen`` tells which test rows the candidate was trained on; a champion of old need not know. Other examinations than that
    are no part of a comparison, and their gates are left out.
    """
    before, after = _judge_all({"champion": champion, "candidate": candidate}, suites)
    files = [Pairs(file.name, before[file.name], after[file.name], public=suite.public) for suite in suites for file in suite.files]
    own = [gate for gate in gates if gate.suite in SUITES]
    asked = [gate for gate in gates if gate in own or (seen is not None and gate.suite == seen.name)]
    contenders = [
        Contender(champion.identity, check(own, _results(suites, before))),
        Contender(candidate.identity, check(asked, _results(suites, after), [seen] if seen else [])),
    ]
    parts = compare_parts(files)
    together = next(part for part in parts if part.name == TOGETHER)
    return Comparison(
        champion=contenders[0],
        candidate=contenders[1],
        files={file.name: file.sha256 for suite in suites for file in suite.files},
        parts=parts,
        duels=duels(files),
        changes=changes(files),
        recommendation=recommend(champion=contenders[0].gates, candidate=contenders[1].gates, differences=together.differences),
        environment=read_environment(),
    )


def _results(suites: Sequence[Suite], judged: Mapping[str, Sequence[Judged]]) -> list[SuiteResult]:
    return [examine(suite.name, [row for file in suite.files for row in judged[file.name]], texts=False) for suite in suites]


def _judge_all(engines: Mapping[str, Answerer], suites: Sequence[Suite]) -> list[dict[str, list[Judged]]]:
    """For each engine, its judged rows by file."""
    files = [file for suite in suites for file in suite.files]
    with Progress(console=Console(stderr=True)) as progress:
        found = []
        for name, engine in engines.items():
            task = progress.add_task(name, total=sum(len(file.rows) for file in files))
            found.append({file.name: judge(engine, file.rows, tick=partial(progress.advance, task)) for file in files})
    return found


def _unknown(path: Path, kind: str, label: str, place: str) -> EvaluationError:
    return EvaluationError(f"{path}: knows no {kind} '{label}', with which {place} is labelled; name a candidate made from this pack")


def _refuse(reason: str) -> int:
    sys.stderr.write(f"comparison could not run: {reason}\n")
    return _COULD_NOT_RUN


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evaluation compare", description=__doc__)
    parser.add_argument("champion", type=Path, metavar="A", help="the bundle that serves")
    parser.add_argument("candidate", type=Path, metavar="B", help="the bundle that may replace it")
    parser.add_argument("--pack", type=Path, default=Path("data/packs/retail"), help="the pack whose test files are asked")
    parser.add_argument("--extra", type=Path, nargs="+", action="extend", default=[], metavar="FILE", help="more rows")
    parser.add_argument("--out", type=Path, default=Path("reports/compare"), help="folder for compare.json and compare.md")
    parser.add_argument("--json", action="store_true", help="print compare.json instead of the verdict")
    return parser.parse_args(argv)

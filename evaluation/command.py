"""The command: read, run the engine, measure, write, print the verdict."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from evaluation.diagrams import Drawer, find_drawer
from evaluation.evaluate import evaluate
from evaluation.gates import Verdict, read_gates
from evaluation.markdown import to_markdown, to_screen
from evaluation.material import read_material
from evaluation.outcomes import Answerer
from evaluation.page import to_html
from evaluation.report import Report, to_json, write_whole
from evaluation.speed import Loop
from evaluation.took import Stopwatch
from yingda.domain.errors import YingdaError
from yingda.domain.knowledge import Knowledge
from yingda.pack import read_pack

EXIT_CODES: Mapping[Verdict, int] = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.UNDECIDED: 2}
_COULD_NOT_RUN = 2

PAGE = "evaluation.html"
"""The report for people, named where the verdict is printed."""

OPENING = "opening"
"""Name of the time that reading pack and bundle takes."""


class Opener(Protocol):
    """Opens a bundle with the knowledge of ``pack``, else with that inside it."""

    def __call__(self, bundle: Path, *, pack: Path | None = None) -> Answerer: ...


def run(
    argv: Sequence[str],
    *,
    opener: Opener,
    gates: Path | None = None,
    draw: Drawer | None = None,
    loop_opener: Callable[[Path], Loop] | None = None,
) -> int:
    """Exit code: 0 passed, 1 failed a gate, 2 could not run or could not decide.

    ``draw`` makes the diagrams of the report, ``loop_opener`` the bare encoder loop of a bundle, without which speed is not measured.
    """
    args, watch = _parse(argv), Stopwatch()
    try:
        conditions = read_gates(gates or Path(__file__).with_name("gates.yaml"))
        with watch.part(OPENING):
            pack = read_pack(args.pack)
            material = read_material(args.bundle, args.pack, pack, args.extra)
            engine, loop = opener(args.bundle, pack=args.knowledge), loop_opener(args.bundle) if loop_opener else None
        report = evaluate(engine, material, conditions, loop=loop, watch=watch)
        names = _names(pack.knowledge) | _names(engine.knowledge)
        write_whole(args.out, _files(report, names, (draw or find_drawer())(report.suites)))
    except YingdaError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or args.out}: {error.strerror}; check that it exists and may be used")
    sys.stdout.write(to_screen(report, args.out / PAGE))
    return EXIT_CODES[report.verdict]


def _files(report: Report, names: Mapping[str, str], diagrams: Mapping[str, str]) -> Mapping[str, str]:
    pages = {
        "evaluation.json": to_json(report, diagrams=diagrams),
        "evaluation.md": to_markdown(report, diagrams=diagrams),
        PAGE: to_html(report, diagrams=diagrams, names=names),
    }
    return {**pages, **diagrams}


def _names(knowledge: Knowledge) -> dict[str, str]:
    """What a service manager calls the codes of categories, intents and entries."""
    taxonomy = knowledge.taxonomy
    categories = {category.code: category.names.get("zh", category.code) for category in taxonomy.categories}
    intents = {intent.code: intent.names.get("zh", intent.code) for intent in taxonomy.intents.values()}
    return categories | intents | {entry.id: entry.question.get("zh", entry.id) for entry in knowledge.faq.values()}


def _refuse(reason: str) -> int:
    sys.stderr.write(f"evaluation could not run: {reason}\n")
    return _COULD_NOT_RUN


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    more = "`python -m evaluation compare A B` holds two bundles or two versions of knowledge against each other."
    parser = argparse.ArgumentParser(prog="python -m evaluation", description=__doc__, epilog=more)
    parser.add_argument("--pack", type=Path, default=Path("data/packs/retail"), help="the pack whose test files are asked")
    parser.add_argument(
        "--bundle", type=Path, default=Path("models/current"), help="the bundle under examination, with the knowledge inside it"
    )
    parser.add_argument("--knowledge", type=Path, metavar="DIR", help="knowledge (a pack) to examine in the place of the bundle's own")
    parser.add_argument("--out", type=Path, default=Path("reports"), help="folder for evaluation.html, .md, .json and diagrams")
    parser.add_argument("--extra", type=Path, nargs="+", action="extend", default=[], metavar="FILE", help="more rows")
    return parser.parse_args(argv)

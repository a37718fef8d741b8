"""Champion against candidate on the same messages, bundles or knowledge: exit 0 promote or no worse, 1 keep, 2 could not run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import Progress

from evaluation.behaviour import EXAMINED, Behaviour, behaviour_parts, observe, turn_pairs, workload
from evaluation.comparison import TOGETHER, Pairs, changes, compare_parts, duels
from evaluation.comparison_report import Comparison, Contender, to_json, to_markdown, to_screen
from evaluation.contamination import examine_contamination
from evaluation.errors import EvaluationError
from evaluation.examination import Examination
from evaluation.gates import SUITES, Gate, check, read_gates
from evaluation.labels import examine_labels
from evaluation.material import Material, Suite, read_material
from evaluation.outcomes import Answerer, Judged, judge
from evaluation.provenance import read_environment
from evaluation.recommendation import Advice, recommend
from evaluation.report import write_whole
from evaluation.reworded import reworded
from evaluation.suites import SuiteResult, examine
from evaluation.turned import turned
from yingda.domain.errors import YingdaError
from yingda.pack import read_pack

EXIT_CODES: Mapping[Advice, int] = {Advice.PROMOTE: 0, Advice.NO_WORSE: 0, Advice.KEEP: 1}
_COULD_NOT_RUN = 2
_TAXONOMY = "taxonomy.yaml"
"""What every folder of knowledge holds and no bundle does."""


class Opener(Protocol):
    """Opens a bundle with the knowledge of ``pack``, else with that inside it: two bundles may come from different packs."""

    def __call__(self, bundle: Path, /, *, pack: Path | None = None) -> Answerer: ...


@dataclass(frozen=True, slots=True)
class Side:
    """What is opened for one of the two: a bundle, with the knowledge inside it unless ``knowledge`` names another."""

    bundle: Path
    knowledge: Path | None = None

    def __str__(self) -> str:
        return str(self.knowledge or self.bundle)


def side_of(path: Path, *, knowledge: Path | None, bundle: Path, option: str) -> Side:
    """``path`` as a bundle or, where a taxonomy lies in it, as knowledge for ``bundle``.

    ``knowledge`` is what ``option`` named for a bundle. Raises EvaluationError when that names a second one.
    """
    if not (path / _TAXONOMY).is_file():
        return Side(path, knowledge)
    if knowledge is not None:
        raise EvaluationError(f"{path}: is knowledge itself; leave {option} out, or name a bundle here")
    return Side(bundle, path)


def run(argv: Sequence[str], *, opener: Opener, gates: Path | None = None) -> int:
    """Exit code: 0 promote, or knowledge alone that makes nothing worse; 1 keep, 2 could not run."""
    args = _parse(argv)
    try:
        conditions = read_gates(gates or Path(__file__).with_name("gates.yaml"))
        champion = side_of(args.champion, knowledge=args.pack_a, bundle=args.bundle, option="--pack-a")
        candidate = side_of(args.candidate, knowledge=args.pack_b, bundle=args.bundle, option="--pack-b")
        material = read_material(candidate.bundle, args.pack, read_pack(args.pack), args.extra)
        before, after = (opener(side.bundle, pack=side.knowledge) for side in (champion, candidate))
        check_labels(candidate, after, material.suites)
        seen = examine_contamination(candidate.bundle, [*material.own_files, *material.lines])
        found = compare(before, after, material, conditions, seen=seen)
        write_whole(args.out, {"compare.json": to_json(found), "compare.md": to_markdown(found)})
    except YingdaError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or args.out}: {error.strerror}; check that it exists and may be used")
    sys.stdout.write(to_json(found) if args.json else to_screen(found, args.out / "compare.md"))
    return EXIT_CODES[found.recommendation.advice]


def check_labels(side: Side, engine: Answerer, suites: Sequence[Suite]) -> None:
    """Raise EvaluationError at the first row whose label the candidate ``side`` does not know: it could not be right there.

    What the champion does not know yet, it misses: that is a reason to retrain. Knowledge that was named may lack entries,
    for that may be just what was changed.
    """
    knowledge = engine.knowledge
    for row in (row for suite in suites for file in suite.files for row in file.rows):
        unknown = [entry for entry in (row.faq, *row.also) if entry is not None and entry not in knowledge.faq]
        if row.intent is not None and row.intent not in knowledge.taxonomy.intents:
            raise _unknown(side, "intent", row.intent, row.place)
        if unknown and side.knowledge is None:
            raise _unknown(side, "entry", unknown[0], row.place)


def compare(
    champion: Answerer, candidate: Answerer, material: Material, gates: Sequence[Gate], *, seen: Examination | None = None
) -> Comparison:
    """One pass of both engines over every suite, change of wording, case and conversation, held against each other and ``gates``.

    ``seen`` tells which test rows the candidate was trained on; a champion of old need not know. Gates on what is not examined
    here, such as speed, are left out.
    """
    suites = material.suites
    before, after = _ask_all({"champion": champion, "candidate": candidate}, material)
    files = [
        Pairs(file.name, before.rows[file.name], after.rows[file.name], public=suite.public) for suite in suites for file in suite.files
    ]
    own = [gate for gate in gates if gate.suite in (*SUITES, *EXAMINED)]
    # what was taken away from the knowledge, and what a bundle was trained on, is asked of the candidate alone
    more = [examine_labels(material.own_files, candidate.knowledge), *([] if seen is None else [seen])]
    asked = [gate for gate in gates if gate in own or gate.suite in {examination.name for examination in more}]
    contenders = [
        Contender(champion.identity, champion.knowledge.digest, check(own, *before.results(suites))),
        Contender(candidate.identity, candidate.knowledge.digest, check(asked, *after.results(suites, *more))),
    ]
    parts, behaviour = compare_parts(files), behaviour_parts(before.behaviour, after.behaviour)
    together = next(part for part in parts if part.name == TOGETHER)
    further = [difference for part in behaviour for difference in part.differences.values()]
    return Comparison(
        champion=contenders[0],
        candidate=contenders[1],
        files=material.digests,
        parts=parts,
        behaviour=behaviour,
        duels=duels(files),
        changes=changes(files),
        turned=turned(before.behaviour, after.behaviour),
        reworded=reworded(files, list(turn_pairs(before.behaviour, after.behaviour))),
        recommendation=recommend(
            champion=contenders[0].gates,
            candidate=contenders[1].gates,
            differences=together.differences,
            further=further,
            only_knowledge=_only_knowledge(*contenders),
        ),
        environment=read_environment(),
    )


def _only_knowledge(champion: Contender, candidate: Contender) -> bool:
    return champion.bundle.sha256 == candidate.bundle.sha256 and champion.knowledge != candidate.knowledge


@dataclass(frozen=True, slots=True)
class _Said:
    """What one engine said: its judged rows by file, and its behaviour."""

    rows: Mapping[str, Sequence[Judged]]
    behaviour: Behaviour

    def results(self, suites: Sequence[Suite], *more: Examination) -> tuple[list[SuiteResult], list[Examination]]:
        """What gates are held against."""
        found = [examine(suite.name, [row for file in suite.files for row in self.rows[file.name]], texts=False) for suite in suites]
        return found, [*self.behaviour.examinations, *more]


def _ask_all(engines: Mapping[str, Answerer], material: Material) -> list[_Said]:
    rows, cases, scenarios = material.public_rows, material.cases, material.scenarios
    with Progress(console=Console(stderr=True)) as progress:
        found = []
        for name, engine in engines.items():
            work = sum(len(file.rows) for file in material.files) + workload(rows, cases, scenarios, engine.knowledge.taxonomy)
            tick = partial(progress.advance, progress.add_task(name, total=work))
            judged = {file.name: judge(engine, file.rows, tick=tick) for file in material.files}
            found.append(_Said(judged, observe(engine, rows, cases, scenarios, tick=tick)))
    return found


def _unknown(side: Side, kind: str, label: str, place: str) -> EvaluationError:
    return EvaluationError(f"{side}: knows no {kind} '{label}', with which {place} is labelled; name a candidate made from this pack")


def _refuse(reason: str) -> int:
    sys.stderr.write(f"comparison could not run: {reason}\n")
    return _COULD_NOT_RUN


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evaluation compare", description=__doc__)
    parser.add_argument("champion", type=Path, metavar="A", help="the bundle or the folder of knowledge that serves")
    parser.add_argument("candidate", type=Path, metavar="B", help="the bundle or the folder of knowledge that may replace it")
    parser.add_argument("--bundle", type=Path, default=Path("models/current"), help="the bundle that a folder of knowledge is opened with")
    for side, name in (("A", "--pack-a"), ("B", "--pack-b")):
        parser.add_argument(name, type=Path, metavar="DIR", help=f"knowledge for the bundle {side} in the place of its own")
    parser.add_argument("--pack", type=Path, default=Path("data/packs/retail"), help="the pack whose test files are asked")
    parser.add_argument("--extra", type=Path, nargs="+", action="extend", default=[], metavar="FILE", help="more rows")
    parser.add_argument("--out", type=Path, default=Path("reports/compare"), help="folder for compare.json and compare.md")
    parser.add_argument("--json", action="store_true", help="print compare.json instead of the verdict")
    return parser.parse_args(argv)

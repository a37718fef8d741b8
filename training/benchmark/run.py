"""The command: read the data sets, train and judge each that is not finished, write the table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console

from training.benchmark import classify, matching
from training.benchmark.figures import Outcome, class_figures, pooled, scope_figures
from training.benchmark.hub import read_hub
from training.benchmark.rows import Material, PairRow, TextRow, read_folder
from training.benchmark.sets import SETS, DataSet, Task
from training.benchmark.splits import deal_pairs, deal_texts, thin
from training.benchmark.table import to_markdown
from training.benchmark.tuning import Bench, clear
from training.examples import write_json
from training.params import Params, load_params
from yingda.domain.errors import YingdaError

_COULD_NOT_RUN = 2
_INTERRUPTED = 130
_PROTOCOL = 1
"""Raised with every change of how sets are dealt, trained or judged: parts of another protocol are made anew."""

Reader = Callable[[DataSet], Material[Any]]


@dataclass(frozen=True)
class Work:
    """A data set to be judged: its rows, and the mark of all that its result depends on."""

    dataset: DataSet
    material: Material[Any]
    mark: str


def mark_of(dataset: DataSet, material: Material[Any], bench: Bench, base: str) -> str:
    """SHA-256 of protocol, rows, base weights, parameters and size of the trial."""
    params = bench.params
    used = {name: getattr(params, name).model_dump(mode="json") for name in ("train", "linear", "calibrate")}
    shares = (params.prepare.selection_share, params.prepare.calibration_share, params.prepare.near_duplicate)
    described = [_PROTOCOL, dataset.name, dataset.scheme, material.sha256, base, params.seed, used, shares, bench.trial]
    return sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def plan(names: Sequence[str], reader: Reader, bench: Bench) -> list[Work]:
    """All rows, read and checked before the first training begins."""
    base, works = bench.base_sha256(), []
    for name in names:
        material = reader(SETS[name])
        if bench.trial is not None:
            material = thin(material, bench.trial, bench.params.seed)
        works.append(Work(SETS[name], material, mark_of(SETS[name], material, bench, base)))
    return works


def kept(path: Path, mark: str) -> dict[str, Any] | None:
    """The finished part at ``path``, None when there is none of this ``mark``."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("mark") == mark else None


def judge_texts(work: Work, bench: Bench, material: Material[TextRow], folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Figures of the judged folds together and facts about each; finished folds are not trained again."""
    deals = deal_texts(material, work.dataset.scheme, bench.params.seed)
    found = []
    for number, parts in enumerate(deals[: bench.folds], 1):
        place, mark = folder / f"fold-{number}", f"{work.mark}-{number}"
        done = kept(place / "judged.json", mark)
        if done is None:
            say(f"{work.dataset.name}: training {number} of {len(deals)}")
            done = {"mark": mark, **asdict(classify.judge(bench, parts, work.dataset.outside, place, mark))}
            write_json(place / "judged.json", done)  # class numbers and confidences, no texts
        clear(place)
        found.append(done)
    test = pooled([Outcome(**done["test"]) for done in found])
    first = found[0]
    dev = Outcome(**first["dev"]) if first["dev"] else None
    share = bench.params.calibrate.unanswerable_share
    figures = scope_figures(dev, test, first["outside"], share) if dev else class_figures(test)
    return {"figures": figures, "judged": len(test.wanted), "folds": len(deals), "trainings": [done["facts"] for done in found]}


def judge_pairs(work: Work, bench: Bench, material: Material[PairRow], folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Figures of the pairs and facts about the training."""
    (parts,) = deal_pairs(material, work.dataset.scheme, bench.params.seed)
    say(f"{work.dataset.name}: training")
    figures, facts = matching.judge(bench, parts, folder, work.mark)
    clear(folder)
    return {"figures": figures, "judged": len(parts.test), "trainings": [facts]}


def result_of(work: Work, bench: Bench, parts: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """The record of a set: taken from ``parts`` when it is finished, else made and kept there."""
    path = parts / f"{work.dataset.name}.json"
    mark = work.mark if bench.folds is None else f"{work.mark}-first-{bench.folds}"  # never taken for a judgement by all folds
    done = kept(path, mark)
    if done is not None:
        say(f"{work.dataset.name}: finished before")
        return done
    judge: Callable[..., dict[str, Any]] = judge_pairs if work.dataset.task is Task.MATCHING else judge_texts
    found = judge(work, bench, work.material, parts / work.dataset.name, say)
    record = {"mark": mark, "name": work.dataset.name, "data_sha256": work.material.sha256, "trial_rows": bench.trial, **found}
    write_json(path, record)
    return record


def write_table(out: Path, records: Sequence[Mapping[str, Any]]) -> str:
    """Write ``benchmark.json`` and ``benchmark.md``; returns the page."""
    described = [{**record, "published": [asdict(p) for p in SETS[record["name"]].published]} for record in records]
    write_json(out / "benchmark.json", described)
    page = to_markdown(records, load_params().train.layers)
    partial = out / "benchmark.md.partial"
    partial.write_text(page, "utf-8")
    partial.replace(out / "benchmark.md")
    return page


def _asked(params: Params, args: argparse.Namespace) -> Params:
    changed = {name: value for name in ("layers", "epochs") if (value := getattr(args, name)) is not None}
    return params.model_copy(update={"train": params.train.model_copy(update=changed)})


def _count(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.benchmark", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("data", type=Path, nargs="?", metavar="DATA", help="folder with one folder a data set")
    source.add_argument("--hub", action="store_true", help="take the data sets from the Hugging Face hub")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), metavar="NAME", help=f"of {', '.join(SETS)}; default: all")
    parser.add_argument("--layers", type=_count, help="depth of the encoder; default: that of params.yaml")
    parser.add_argument("--epochs", type=_count, help="default: those of params.yaml")
    parser.add_argument("--rows", type=_count, metavar="N", help="a trial on at most N rows of each part; the table says so")
    parser.add_argument("--folds", type=_count, metavar="N", help="judge by the first N folds alone; default: all; the page says so")
    parser.add_argument("--base", type=Path, default=Path("models/base"), help="base weights; default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("reports/benchmark"), help="default: %(default)s")
    return parser


def _all_sets(*, hub: bool, say: Callable[[str], None]) -> list[str]:
    """Every set, of the hub those that have a place there."""
    names = [name for name, dataset in SETS.items() if not hub or dataset.hub is not None]
    if left := [name for name in SETS if name not in names]:
        say(f"not on the hub, left out: {', '.join(left)}")
    return names


def run(argv: Sequence[str], *, hub: Reader = read_hub) -> int:
    """Run the command; returns the exit code."""
    args = _parser().parse_args(argv)
    console = Console(stderr=True)

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)  # one line is one line, however narrow the terminal

    reader: Reader = hub if args.hub else lambda dataset: read_folder(args.data, dataset)
    try:
        bench = Bench(args.base, _asked(load_params(), args), args.rows, args.folds)
        records: list[dict[str, Any]] = []
        page = ""
        for work in plan(args.sets or _all_sets(hub=args.hub, say=say), reader, bench):
            records.append(result_of(work, bench, args.out / "parts", say))
            page = write_table(args.out, records)
    except YingdaError as error:
        say(str(error))
        return _COULD_NOT_RUN
    except KeyboardInterrupt:
        say("interrupted; the same command goes on")
        return _INTERRUPTED
    sys.stdout.write(page)
    return 0

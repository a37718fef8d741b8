"""Pack in, split rows out: ``python -m training.prepare TARGET``.

Of the pack only ``train-*.jsonl`` files are used here; evaluation files play no part in training. Log datasets join
them where ``params.yaml`` names some.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from training.examples import Classes, Example, build_classes, example_of, example_of_log, examples_of_entry, write_classes, write_examples
from training.logs.dataset import LogRow, read_dataset
from training.params import Params, load_params
from training.split import near_duplicate_groups, split_rows
from yingda.domain.knowledge import Knowledge, Utterance
from yingda.pack import read_training
from yingda.text.normalise import normalise


class Labelled(Protocol):
    """What a row of the pack and a row of a log dataset have in common."""

    @property
    def text(self) -> str: ...
    @property
    def faq(self) -> str | None: ...
    @property
    def intent(self) -> str | None: ...


@dataclass(frozen=True)
class Material:
    """All labelled rows: the pack's, logs as trustworthy as they, and logs with doubtful labels, for fitting alone."""

    pack: Sequence[Utterance]
    logs: Sequence[LogRow] = ()
    weak_logs: Sequence[LogRow] = ()


def settle(material: Material) -> Material:
    """``material`` without the log rows whose normalised text came before: the pack first, then sure logs, then doubtful."""
    seen = {normalise(row.text) for row in material.pack}

    def new(rows: Sequence[LogRow]) -> list[LogRow]:
        kept = []
        for row in rows:
            text = normalise(row.text)
            if text not in seen:
                seen.add(text)
                kept.append(row)
        return kept

    return replace(material, logs=new(material.logs), weak_logs=new(material.weak_logs))


def prepare(material: Material, knowledge: Knowledge, params: Params) -> tuple[Classes, dict[str, list[Example]]]:
    """Class numbers, and the examples of each part by name: fit, select, calibrate, and the entries' own texts.

    Where several rows have one text, the most trustworthy label stands, see ``settle``.
    """
    material = settle(material)
    logs = [*material.logs, *material.weak_logs]
    rows: list[Labelled] = [*material.pack, *logs]
    classes = build_classes(knowledge, rows)
    texts = [normalise(row.text) for row in rows]
    groups = near_duplicate_groups(texts, threshold=params.prepare.near_duplicate)
    labels = [row.faq or f"none:{row.intent}" for row in rows]
    shares = params.prepare
    split = split_rows(groups, labels, select=shares.selection_share, calibrate=shares.calibration_share, seed=params.seed)
    own, sure = len(material.pack), len(material.pack) + len(material.logs)
    examples = [
        *(example_of(row, classes, text) for row, text in zip(material.pack, texts[:own], strict=True)),
        *(example_of_log(row, classes, text) for row, text in zip(logs, texts[own:], strict=True)),
    ]
    # a doubtful row may teach but not judge: one that would fall among the judging rows is left out
    dealt = {
        "fit": [examples[i] for i in split.fit],
        "select": [examples[i] for i in split.select if i < sure],
        "calibrate": [examples[i] for i in split.calibrate if i < sure],
    }
    dealt["entries"] = [
        example
        for entry in knowledge.faq.values()
        for example in examples_of_entry(entry, classes, [normalise(text) for text in entry.texts()])
    ]
    return classes, dealt


def read_logs(folders: Sequence[Path]) -> list[LogRow]:
    """The rows of the datasets in ``folders``; one that is not there is said and left out, so that the pack alone trains too."""
    rows: list[LogRow] = []
    for folder in folders:
        if folder.is_dir():
            rows += read_dataset(folder)
        else:
            print(f"{folder} is not there: training goes on without it; docs/logs.md says how to import it", file=sys.stderr)
    return rows


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.prepare", description=__doc__)
    parser.add_argument("target", type=Path, help="folder to write")
    args = parser.parse_args(argv)
    params = load_params()
    pack = read_training(params.prepare.pack)
    rows = [row for rows in pack.training.values() for row in rows]
    material = Material(rows, read_logs(params.prepare.logs), read_logs(params.prepare.weak_logs))
    classes, parts = prepare(material, pack.knowledge, params)
    write_classes(args.target / "classes.json", classes)
    for name, examples in parts.items():
        write_examples(args.target / f"{name}.jsonl", examples)
        print(f"{name}: {len(examples)} rows", file=sys.stderr)


if __name__ == "__main__":
    main()

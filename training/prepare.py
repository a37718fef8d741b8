"""Pack in, split rows out: ``python -m training.prepare TARGET``.

Only the pack's ``train-*.jsonl`` files are read here; evaluation files play no part in training.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from training.examples import Classes, Example, build_classes, example_of, examples_of_entry, write_classes, write_examples
from training.params import Params, load_params
from training.split import near_duplicate_groups, split_rows
from yingda.domain.knowledge import Knowledge, Utterance
from yingda.pack import read_pack
from yingda.text.normalise import normalise


def prepare(rows: Sequence[Utterance], knowledge: Knowledge, params: Params) -> tuple[Classes, dict[str, list[Example]]]:
    """Class numbers, and the examples of each part by name: fit, select, calibrate, and the entries' own texts."""
    classes = build_classes(knowledge, rows)
    texts = [normalise(row.text) for row in rows]
    groups = near_duplicate_groups(texts, threshold=params.prepare.near_duplicate)
    labels = [row.faq or f"none:{row.intent}" for row in rows]
    shares = params.prepare
    split = split_rows(groups, labels, select=shares.selection_share, calibrate=shares.calibration_share, seed=params.seed)
    examples = [example_of(row, classes, text) for row, text in zip(rows, texts, strict=True)]
    parts = {"fit": split.fit, "select": split.select, "calibrate": split.calibrate}
    dealt = {name: [examples[i] for i in indices] for name, indices in parts.items()}
    dealt["entries"] = [
        example
        for entry in knowledge.faq.values()
        for example in examples_of_entry(entry, classes, [normalise(text) for text in entry.texts()])
    ]
    return classes, dealt


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.prepare", description=__doc__)
    parser.add_argument("target", type=Path, help="folder to write")
    args = parser.parse_args(argv)
    params = load_params()
    pack = read_pack(params.prepare.pack)
    rows = [row for rows in pack.training.values() for row in rows]
    classes, parts = prepare(rows, pack.knowledge, params)
    write_classes(args.target / "classes.json", classes)
    for name, examples in parts.items():
        write_examples(args.target / f"{name}.jsonl", examples)
        print(f"{name}: {len(examples)} rows", file=sys.stderr)


if __name__ == "__main__":
    main()

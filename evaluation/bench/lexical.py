"""How many right entries lexical search finds, by the units it counts: ``python -m evaluation.bench.lexical --out DIR``.

Every way is BM25 (bm25s) over whole entries, all wordings of one as one document. It is asked with the pack's own training messages:
lexical search learns from wordings alone, so they are new to it. Evaluation files are not read. Words come from rjieba where it can
be imported. A choice between close ways is not proven by the figures: messages of one pack are not all messages.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from time import process_time
from typing import Any

import bm25s
import numpy as np

from evaluation.bench.serving.machine import read_machine
from yingda.domain.errors import YingdaError
from yingda.domain.knowledge import FaqEntry, Utterance
from yingda.pack import read_training
from yingda.retrieve.lexical import bigrams, characters
from yingda.text.normalise import normalise

Units = Callable[[str], list[str]]
SERVED = "characters and bigrams"
TOPS = (1, 10)
EVERY = 5


@dataclass(frozen=True)
class Found:
    """Of ``messages``, the share whose right entry is among the first 1 and 10, and CPU time of a message in microseconds."""

    units: str
    messages: int
    recall_at_1: float
    recall_at_10: float
    cpu_us: float


def ways() -> dict[str, Units]:
    """The units to count, by name; those of words only where rjieba can be imported."""
    own: dict[str, Units] = {"characters": lambda text: [*text.lower()], "bigrams": bigrams, SERVED: characters}
    try:
        rjieba = import_module("rjieba")
    except ImportError:
        return own

    def words(text: str) -> list[str]:
        found: list[str] = rjieba.cut_for_search(text.lower(), True)
        return found or [text.lower()]

    return {
        **own,
        "words (rjieba)": words,
        "words and characters": lambda text: [*words(text), *text.lower()],
        "words, characters and bigrams": lambda text: [*words(text), *characters(text)],
    }


def find(name: str, units: Units, entries: Mapping[str, FaqEntry], messages: Sequence[Utterance]) -> Found:
    """Search ``messages``, each of which has an entry, by ``units``."""
    ids = list(entries)
    table = bm25s.BM25()
    documents = [list(chain.from_iterable(units(normalise(text)) for text in entries[id_].texts())) for id_ in ids]
    table.index(documents, show_progress=False)
    texts = [normalise(message.text) for message in messages]
    began = process_time()
    ranked = [np.argsort(-table.get_scores(units(text)), kind="stable")[: max(TOPS)] for text in texts]
    spent = process_time() - began
    right = [{message.faq, *message.also} for message in messages]
    hits = np.asarray([[ids[place] in wanted for place in found] for found, wanted in zip(ranked, right, strict=True)])
    at_1, at_10 = (float(hits[:, :top].any(1).mean()) for top in TOPS)
    return Found(name, len(messages), round(at_1, 4), round(at_10, 4), round(1e6 * spent / len(messages), 1))


def report(rows: Sequence[Found], machine: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    lines = [
        "# Units of lexical search",
        "",
        f"`python -m evaluation.bench.lexical`; {machine['processor']}; {versions}. {rows[0].messages:,} training messages that have an",
        "entry, none of which the search knows. BM25 over whole entries; the served way is **bold**.",
        "",
        "| units | right entry first | among the first 10 | CPU, µs a message |",
        "|---|--:|--:|--:|",
    ]
    for row in rows:
        name = f"**{row.units}**" if row.units == SERVED else row.units
        lines.append(f"| {name} | {row.recall_at_1:.3f} | {row.recall_at_10:.3f} | {row.cpu_us:g} |")
    return "\n".join(lines) + "\n"


def machine_of() -> dict[str, Any]:
    """Processor and versions."""
    packages = {"bm25s": version("bm25s"), "yingda": version("yingda"), "Python": platform.python_version()}
    if "words (rjieba)" in ways():
        packages["rjieba"] = version("rjieba")
    return {**read_machine(), "versions": packages}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every way and write ``lexical.json`` and ``lexical.md``; 2 where the pack cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.bench.lexical", description=__doc__)
    parser.add_argument("--pack", type=Path, default=Path("data/packs/retail"))
    parser.add_argument("--out", type=Path, default=Path("reports/bench"))
    parser.add_argument("--every", type=int, default=EVERY, help="one message of so many; default: %(default)s")
    args = parser.parse_args(argv)
    try:
        pack = read_training(args.pack)
    except (YingdaError, OSError) as error:
        parser.exit(2, f"{args.pack}: no readable pack ({type(error).__name__}); name one with --pack\n")
    entries = pack.knowledge.faq
    messages = [row for rows in pack.training.values() for row in rows if row.faq in entries][:: max(1, args.every)]
    if not messages:
        parser.exit(2, f"{args.pack}: no training message has an entry; there is nothing to search for\n")
    rows = [find(name, units, entries, messages) for name, units in ways().items()]
    machine = machine_of()
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "lexical.json").write_text(
        json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=2) + "\n", "utf-8"
    )
    (args.out / "lexical.md").write_text(report(rows, machine), "utf-8")
    sys.stdout.write(report(rows, machine))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""How well personal data is recognised, and what it costs: ``python -m evaluation.privacy``.

Messages of ``data/privacy/labelled.jsonl``. An item counts as found when the recogniser names its kind and its bounds exactly, as
in CoNLL-2003 (E. Tjong Kim Sang, F. De Meulder, 2003); ``visible`` counts labelled items of which any letter or digit stays in the
masked text. Intervals are E. B. Wilson's of 95 % (1927). Times are of the processor, taken in turns in one run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from yingda.domain.errors import MaterialError
from yingda.text.masking import Item, find_items, mask
from yingda.text.normalise import normalise

LABELLED = Path("data/privacy/labelled.jsonl")
PRECISION, RECALL = 0.99, 0.97
"""Targets on the test half, over all kinds."""

_Z = 1.959963984540054
_ROUNDS = 9


@dataclass(frozen=True, slots=True)
class Message:
    """A message and the personal data in it."""

    text: str
    items: tuple[Item, ...]


@dataclass
class Counts:
    """Items of one kind: found, found where there is none, and missed; ``visible`` of those labelled."""

    found: int = 0
    false: int = 0
    missed: int = 0
    visible: int = 0

    def fields(self) -> dict[str, Any]:
        """Counts, precision and recall with their intervals; None where nothing was counted."""
        claimed, labelled = self.found + self.false, self.found + self.missed
        return {
            "labelled": labelled,
            "precision": self.found / claimed if claimed else None,
            "precision_interval": wilson(self.found, claimed),
            "recall": self.found / labelled if labelled else None,
            "recall_interval": wilson(self.found, labelled),
            "visible": self.visible,
        }


@dataclass
class Result:
    """Counts by kind and over all, and the messages in which anything went wrong."""

    kinds: dict[str, Counts] = field(default_factory=dict)
    every: Counts = field(default_factory=Counts)
    wrong: list[str] = field(default_factory=list)

    def fields(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {"all": self.every.fields(), **{kind: self.kinds[kind].fields() for kind in sorted(self.kinds)}}


def read_messages(path: Path, split: str) -> list[Message]:
    """The messages of the half ``split`` (dev or test); raises MaterialError."""
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        found = [Message(row["text"], tuple(Item(kind, *at) for *at, kind in row["items"])) for row in rows if row["split"] == split]
    except (OSError, ValueError, KeyError, TypeError):
        raise MaterialError(f"{path}: cannot be read as labelled messages; restore it from the repository") from None
    if not found:
        raise MaterialError(f"{path}: holds no message of the half '{split}'; restore it from the repository")
    return found


def wilson(found: int, of: int) -> tuple[float, float] | None:
    """The score interval of 95 % for ``found`` of ``of`` trials; None for no trial."""
    if of == 0:
        return None
    share, squared = found / of, _Z * _Z / of
    half = _Z * sqrt(share * (1 - share) / of + squared / (4 * of)) / (1 + squared)
    middle = (share + squared / 2) / (1 + squared)
    return max(0.0, middle - half), min(1.0, middle + half)


def examine(messages: Sequence[Message], find: Callable[[str], Sequence[Item]] = find_items) -> Result:
    """What ``find`` finds of the labelled items."""
    result = Result()
    for message in messages:
        found, labelled = set(find(message.text)), set(message.items)
        covered = {place for item in found for place in range(item.start, item.end)}
        for name, items in (("found", found & labelled), ("false", found - labelled), ("missed", labelled - found)):
            for item in items:
                _count(result, item.kind, name)
        for item in labelled:
            if any(message.text[place].isalnum() and place not in covered for place in range(item.start, item.end)):
                _count(result, item.kind, "visible")
        if found != labelled:
            result.wrong.append(f"{message.text!r}\n    labelled {sorted(labelled - found)} found {sorted(found - labelled)}")
    return result


def _count(result: Result, kind: str, name: str) -> None:
    for counts in (result.every, result.kinds.setdefault(kind, Counts())):
        setattr(counts, name, getattr(counts, name) + 1)


def timings(messages: Sequence[Message]) -> dict[str, Any]:
    """Median CPU microseconds a message of masking and of normalising, over rounds taken in turns, and their ratio."""
    parts = {
        "all": [m.text for m in messages],
        "with_items": [m.text for m in messages if m.items],
        "without": [m.text for m in messages if not m.items],
    }
    told: dict[str, Any] = {}
    for name, texts in ((name, texts) for name, texts in parts.items() if texts):
        spent: dict[str, list[float]] = {"mask": [], "normalise": []}
        for _ in range(_ROUNDS):
            for what, work in (("mask", mask), ("normalise", normalise)):
                start = process_time()
                for text in texts:
                    work(text)
                spent[what].append((process_time() - start) / len(texts) * 1e6)
        ratios = [a / b for a, b in zip(spent["mask"], spent["normalise"], strict=True)]
        told[name] = {"mask_us": median(spent["mask"]), "normalise_us": median(spent["normalise"]), "ratio": median(ratios)}
    return told


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a target is missed, 2 when the messages cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.privacy", description=__doc__)
    parser.add_argument("--labelled", type=Path, default=LABELLED, help="labelled messages, one JSON object a line")
    parser.add_argument("--split", choices=("dev", "test"), default="test", help="half to examine; recognisers are tuned on dev alone")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    parser.add_argument("--wrong", action="store_true", help="print the messages of dev in which something went wrong")
    args = parser.parse_args(argv)
    try:
        messages = read_messages(args.labelled, args.split)
    except MaterialError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    result = examine(messages)
    told = {"split": args.split, "messages": len(messages), "kinds": result.fields(), "time": timings(messages)}
    sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=1) + "\n" if args.as_json else _table(told))
    if args.wrong and args.split == "dev":
        sys.stdout.writelines(f"{line}\n" for line in result.wrong)
    every = told["kinds"]["all"]
    return 0 if (every["precision"] or 0) >= PRECISION and (every["recall"] or 0) >= RECALL else 1


def _table(told: dict[str, Any]) -> str:
    lines = [f"{told['split']}: {told['messages']} messages", "items  precision            recall               visible  kind"]
    for kind, row in told["kinds"].items():
        shares = [_share(row[name], row[f"{name}_interval"]) for name in ("precision", "recall")]
        lines.append(f"{row['labelled']:5}  {shares[0]:19}  {shares[1]:19}  {row['visible']:7}  {kind}")
    for name, row in told["time"].items():
        lines.append(f"{name}: {row['mask_us']:.1f} µs CPU a message, {row['ratio']:.2f} times the normaliser's {row['normalise_us']:.1f}")
    return "\n".join(lines) + "\n"


def _share(share: float | None, interval: tuple[float, float] | None) -> str:
    return "-" if share is None or interval is None else f"{share:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


if __name__ == "__main__":
    sys.exit(main())

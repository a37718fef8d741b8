"""What is taken for what: categories as a square table, and the intents most often mistaken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from evaluation.outcomes import Judged

SHOWN = 25
"""Pairs of intents listed a suite."""

UNKNOWN = "unknown"
"""Column of intents whose category nobody told."""

NO_CATEGORIES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Mistaken:
    """``rows`` of the ``of`` messages labelled ``gold`` got the intent ``got``."""

    gold: str
    got: str
    rows: int
    of: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """``counts`` [G, P] holds messages by labelled category (``gold``) and by that of the best intent (``got``).

    ``got`` begins with all of ``gold``, so the square on the left has the right ones on its diagonal. ``mistaken`` are the
    pairs of intents most often mistaken, of ``pairs`` such pairs.
    """

    gold: tuple[str, ...]
    got: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    mistaken: tuple[Mistaken, ...]
    pairs: int


def confusion(judged: Sequence[Judged], categories: Mapping[str, str] = NO_CATEGORIES) -> Confusion:
    """The confusion of the rows with a labelled intent and category, without abstaining.

    ``categories`` gives the category of an intent; those of the rows themselves are known anyway.
    """
    rows = [item for item in judged if item.row.intent is not None and item.row.category is not None]
    known = {**categories, **{str(item.row.intent): str(item.row.category) for item in rows}}
    cells = Counter((str(item.row.category), known.get(_got(item), UNKNOWN)) for item in rows)
    gold = tuple(sorted({row for row, _ in cells}))
    got = (*gold, *sorted({column for _, column in cells} - set(gold)))
    counts = tuple(tuple(cells[row, column] for column in got) for row in gold)
    pairs = _mistaken(judged)
    return Confusion(gold, got, counts, pairs[:SHOWN], len(pairs))


def confusion_json(found: Confusion) -> dict[str, Any]:
    """The confusion for programs; the same whenever the rows and answers are."""
    return {
        "gold": list(found.gold),
        "got": list(found.got),
        "counts": [list(row) for row in found.counts],
        "intents": [{"gold": pair.gold, "got": pair.got, "rows": pair.rows, "of": pair.of} for pair in found.mistaken],
        "intent_pairs": found.pairs,
    }


def _mistaken(judged: Sequence[Judged]) -> tuple[Mistaken, ...]:
    labelled = [(item.row.intent, _got(item)) for item in judged if item.row.intent is not None]
    of = Counter(gold for gold, _ in labelled)
    wrong = Counter((gold, got) for gold, got in labelled if gold != got)
    ordered = sorted(wrong.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Mistaken(gold, got, rows, of[gold]) for (gold, got), rows in ordered)


def _got(item: Judged) -> str:
    return item.answer.classification.intent.code

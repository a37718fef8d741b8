"""What is taken for what: categories as a square table, and the intents most often mistaken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from evaluation.outcomes import Judged

SHOWN = 25
"""Pairs of intents that a page lists a suite; the JSON holds all."""

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

    ``got`` begins with all of ``gold``, so the square on the left has the right ones on its diagonal. ``wrong`` are all
    pairs of intents that were mistaken, the most frequent first, and ``asked`` the labelled rows of each intent: with both the whole
    matrix of intents can be written down.
    """

    gold: tuple[str, ...]
    got: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    wrong: tuple[Mistaken, ...]
    asked: Mapping[str, int]

    @property
    def mistaken(self) -> tuple[Mistaken, ...]:
        """The pairs most often mistaken, as many as a page lists."""
        return self.wrong[:SHOWN]

    @property
    def pairs(self) -> int:
        """How many pairs were mistaken at all."""
        return len(self.wrong)


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
    asked = Counter(item.row.intent for item in judged if item.row.intent is not None)
    return Confusion(gold, got, counts, _mistaken(judged, asked), dict(sorted(asked.items())))


def confusion_json(found: Confusion) -> dict[str, Any]:
    """The confusion for programs; the same whenever the rows and answers are."""
    return {
        "gold": list(found.gold),
        "got": list(found.got),
        "counts": [list(row) for row in found.counts],
        "intents": [{"gold": pair.gold, "got": pair.got, "rows": pair.rows, "of": pair.of} for pair in found.wrong],
        "intent_pairs": found.pairs,
        "intent_rows": dict(found.asked),
    }


def _mistaken(judged: Sequence[Judged], of: Mapping[str, int]) -> tuple[Mistaken, ...]:
    labelled = [(item.row.intent, _got(item)) for item in judged if item.row.intent is not None]
    wrong = Counter((gold, got) for gold, got in labelled if gold != got)
    ordered = sorted(wrong.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Mistaken(gold, got, rows, of[gold]) for (gold, got), rows in ordered)


def _got(item: Judged) -> str:
    return item.answer.classification.intent.code

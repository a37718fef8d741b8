"""Which rows train and which judge."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from training.benchmark.rows import Material, PairRow, RowT, TextRow
from training.benchmark.sets import Scheme
from training.params import PrepareParams
from training.split import near_duplicate_groups, split_rows
from yingda.domain.errors import MaterialError

FOLDS = 5
_TEST_SHARE, _DEV_SHARE = 0.25, 0.05


@dataclass(frozen=True)
class Parts(Generic[RowT]):
    """Rows to train on, rows to choose by (none where no such split is published), and rows that judge."""

    train: tuple[RowT, ...]
    dev: tuple[RowT, ...]
    test: tuple[RowT, ...]


@dataclass(frozen=True)
class Training:
    """Rows that are trained on, that choose the epoch, and that fit fusion and confidence."""

    fit: tuple[TextRow, ...]
    select: tuple[TextRow, ...]
    calibrate: tuple[TextRow, ...]


def deal_texts(material: Material[TextRow], scheme: Scheme, seed: int) -> list[Parts[TextRow]]:
    """The published parts, or five folds with the labels' shares kept; equal texts stay in one fold."""
    if scheme is Scheme.OFFICIAL:
        return [official(material)]
    rows = material.parts["all"]
    labels = [row.label for row in rows]
    numbers = {text: number for number, text in enumerate(dict.fromkeys(row.text for row in rows))}
    if min(len(numbers), max(map(labels.count, set(labels)))) < FOLDS:
        raise MaterialError(f"{len(rows)} rows are too few for {FOLDS} folds; use more")
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    dealt = folds.split(labels, labels, [numbers[row.text] for row in rows])
    return [Parts(tuple(rows[i] for i in train), (), tuple(rows[i] for i in test)) for train, test in dealt]


def deal_pairs(material: Material[PairRow], scheme: Scheme, seed: int) -> list[Parts[PairRow]]:
    """The published parts, or a seeded deal in which no text is in two parts."""
    if scheme is Scheme.OFFICIAL:
        return [official(material)]
    rows = material.parts["all"]
    groups = text_groups(rows)
    place = np.random.default_rng(seed).random(int(groups.max()) + 1)[groups]
    test, dev = place < _TEST_SHARE, (place >= _TEST_SHARE) & (place < _TEST_SHARE + _DEV_SHARE)
    return [Parts(*(tuple(rows[i] for i in np.flatnonzero(part)) for part in (~test & ~dev, dev, test)))]


def official(material: Material[RowT]) -> Parts[RowT]:
    """The parts as they were published."""
    return Parts(material.parts["train"], material.parts.get("dev", ()), material.parts["test"])


def text_groups(pairs: Sequence[PairRow]) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """A group number [N] for each pair; pairs that share a text, directly or through others, share the number."""
    numbers = {text: n for n, text in enumerate(dict.fromkeys(text for pair in pairs for text in (pair.first, pair.second)))}
    first, second = (np.asarray([numbers[text] for text in column]) for column in zip(*((p.first, p.second) for p in pairs), strict=True))
    graph = coo_matrix((np.ones(len(pairs)), (first, second)), shape=(len(numbers), len(numbers)))
    return np.asarray(connected_components(graph, directed=False)[1][first], np.int32)


def hold_out(parts: Parts[TextRow], params: PrepareParams, seed: int) -> Training:
    """The published development rows choose and calibrate; where there are none, held-out training rows do.

    Near-duplicates stay on one side, and a label that would have no row left to learn from keeps all of them.
    """
    if parts.dev:
        return Training(parts.train, parts.dev, parts.dev)
    rows = parts.train
    groups = near_duplicate_groups([row.text for row in rows], threshold=params.near_duplicate)
    split = split_rows(groups, [row.label for row in rows], select=params.selection_share, calibrate=params.calibration_share, seed=seed)
    taught = {rows[i].label for i in split.fit}
    select, calibrate = (tuple(rows[i] for i in part if rows[i].label in taught) for part in (split.select, split.calibrate))
    if not select or not calibrate:
        raise MaterialError(f"{len(rows)} training rows are too few to hold some out; use more")
    kept = sorted([*split.fit, *(i for part in (split.select, split.calibrate) for i in part if rows[i].label not in taught)])
    return Training(tuple(rows[i] for i in kept), select, calibrate)


def thin(material: Material[RowT], count: int, seed: int) -> Material[RowT]:
    """At most ``count`` rows of every part, drawn by ``seed``, each label in turn: for a trial."""

    def part(rows: Sequence[RowT]) -> tuple[RowT, ...]:
        order = random.Random(seed).sample(range(len(rows)), len(rows))
        turns: dict[str | bool, int] = {}
        ranked = []
        for place, i in enumerate(order):
            row = rows[i]
            label = row.label if isinstance(row, TextRow) else row.same
            turns[label] = turns.get(label, 0) + 1
            ranked.append((turns[label], place, i))
        return tuple(rows[i] for i in sorted(i for _, _, i in sorted(ranked)[:count]))

    return Material({name: part(rows) for name, rows in material.parts.items()})

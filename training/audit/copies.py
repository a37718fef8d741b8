"""Copies where there should be none: across the parts of the training split, and between logs and pack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.audit.rows import AuditRow
from training.audit.similarity import similar_pairs
from training.logs.dataset import LogRow
from training.params import Params
from training.prepare import Material, prepare
from yingda.domain.knowledge import FaqEntry, Pack
from yingda.text.normalise import normalise

ENTRIES, LOGS = "entries", "logs"
PARTS = ("fit", "select", "calibrate")


@dataclass(frozen=True, slots=True)
class Piece:
    """A text and the part it stands in: fit, select, calibrate, entries (an entry's own wording) or logs."""

    place: str
    text: str
    plain: str
    part: str
    label: str | None


@dataclass(frozen=True, slots=True)
class Copy:
    """Two texts nearly the same (``cosine`` of character bigrams) in two parts."""

    first: Piece
    second: Piece
    cosine: float


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One text under several labels: where it stands and what it is called there."""

    text: str
    places: tuple[str, ...]
    labels: tuple[str, ...]


def parts_by_text(pack: Pack, logs: Sequence[LogRow], weak_logs: Sequence[LogRow], params: Params) -> dict[str, str]:
    """The part (fit, select, calibrate) that ``training.prepare`` deals each normalised text to; a text left out has none."""
    material = Material([row for rows in pack.training.values() for row in rows], logs, weak_logs)
    _, dealt = prepare(material, pack.knowledge, params)
    return {example.text: name for name in PARTS for example in dealt[name]}


def pieces(rows: Sequence[AuditRow], entries: Mapping[str, FaqEntry], parts: Mapping[str, str]) -> list[Piece]:
    """Every row in its part of the training split (``parts`` by normalised text), else among the logs; then the entries' wordings."""
    return [
        *(Piece(row.place, row.text, row.plain, parts.get(row.plain, LOGS), row.label or row.intent) for row in rows),
        *(Piece(f"faq:{entry.id}", text, normalise(text), ENTRIES, entry.id) for entry in entries.values() for text in entry.texts()),
    ]


def copies(found: Sequence[Piece], *, threshold: float) -> list[Copy]:
    """Texts nearly the same in two parts, closest first; fit and entries teach together, so between them none counts."""
    side = {"fit": "teach", ENTRIES: "teach"}
    return [
        Copy(found[pair.first], found[pair.second], pair.cosine)
        for pair in similar_pairs([piece.plain for piece in found], threshold=threshold)
        if len({side.get(found[n].part, found[n].part) for n in (pair.first, pair.second)}) == 2
    ]


def contradictions(rows: Sequence[AuditRow]) -> list[Contradiction]:
    """Messages that are the same after normalisation but do not share a right label, in order of first appearance."""
    same: dict[str, list[AuditRow]] = {}
    for row in rows:
        if row.label or row.intent:
            same.setdefault(row.plain, []).append(row)
    return [
        Contradiction(group[0].text, tuple(row.place for row in group), tuple(str(row.label or row.intent) for row in group))
        for group in same.values()
        if any(not _agree(group[0], other) for other in group[1:])
    ]


def _agree(one: AuditRow, other: AuditRow) -> bool:
    if one.label is None or other.label is None:  # one of them knows the intent alone
        return one.intent is None or other.intent is None or one.intent == other.intent
    return bool({one.label, *one.also} & {other.label, *other.also})

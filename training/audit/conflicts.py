"""Entries that get in each other's way: by the messages given to the wrong one, and by wordings nearly the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.audit.crossfit import CrossFit
from training.audit.labels import forgiving
from training.audit.rows import AuditRow
from training.audit.similarity import similar_pairs
from yingda.domain.knowledge import FaqEntry
from yingda.text.normalise import normalise

_FEWEST_MISTAKES = 2
WORDING_COSINE = 0.6
"""Bigram cosine from which wordings of two entries are shown: most differ in a word or two then."""


@dataclass(frozen=True, slots=True)
class Rivals:
    """Two entries that messages are mistaken between; rows of each direction, the surest mistakes first.

    ``share`` is the part of both entries' messages that went to the other one.
    """

    first: str
    second: str
    first_as_second: tuple[int, ...]
    second_as_first: tuple[int, ...]
    share: float

    @property
    def count(self) -> int:
        """Messages mistaken, both directions."""
        return len(self.first_as_second) + len(self.second_as_first)


@dataclass(frozen=True, slots=True)
class CloseWordings:
    """A wording of one entry that is nearly one of another."""

    first: str
    second: str
    first_text: str
    second_text: str
    cosine: float


def rivals(rows: Sequence[AuditRow], fit: CrossFit, entries: Mapping[str, FaqEntry]) -> list[Rivals]:
    """Pairs of entries with two or more messages mistaken between them, most first; further right entries are no mistake."""
    probabilities = forgiving(rows, fit)
    best = probabilities.argmax(1)
    totals: dict[str, int] = {}
    mistaken: dict[tuple[str, str], list[int]] = {}
    for number, row in enumerate(rows):
        if row.label is not None and row.label in entries:
            totals[row.label] = totals.get(row.label, 0) + 1
            got = fit.classes[best[number]]
            if got in entries and got != row.label:
                mistaken.setdefault((row.label, got), []).append(number)
    sure = probabilities[np.arange(len(rows)), best]
    found = []
    for first, second in sorted({tuple(sorted(pair)) for pair in mistaken}):
        ways = [tuple(sorted(mistaken.get(way, ()), key=lambda n: (-float(sure[n]), n))) for way in ((first, second), (second, first))]
        share = (len(ways[0]) + len(ways[1])) / (totals.get(first, 0) + totals.get(second, 0))
        found.append(Rivals(first, second, ways[0], ways[1], round(share, 4)))
    found = [pair for pair in found if pair.count >= _FEWEST_MISTAKES]
    return sorted(found, key=lambda pair: (-pair.count, -pair.share, pair.first, pair.second))


def close_wordings(entries: Mapping[str, FaqEntry]) -> list[CloseWordings]:
    """Questions and similar wordings that stand, nearly the same, under two entries; closest first."""
    wordings = [(entry.id, text) for entry in entries.values() for text in entry.texts()]
    pairs = similar_pairs([normalise(text) for _, text in wordings], threshold=WORDING_COSINE)
    return [
        CloseWordings(*wordings[pair.first][:1], *wordings[pair.second][:1], wordings[pair.first][1], wordings[pair.second][1], pair.cosine)
        for pair in pairs
        if wordings[pair.first][0] != wordings[pair.second][0]
    ]

"""The surest wrong matches, for a person to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.outcomes import Judged

SHOWN = 20
"""Wrong matches listed a suite."""


@dataclass(frozen=True, slots=True)
class WrongMatch:
    """A best candidate that is wrong; ``text`` is None where texts may not leave their file."""

    place: str
    text: str | None
    gold: str | None
    got: str
    confidence: float
    accepted: bool


def surest_mistakes(judged: Sequence[Judged], *, texts: bool) -> tuple[WrongMatch, ...]:
    """The most confident wrong matches first, accepted or not; with their texts when ``texts`` allows it."""
    wrong = [
        WrongMatch(
            place=item.row.place,
            text=item.row.text if texts else None,
            gold=item.row.faq,
            got=item.best.id,
            confidence=item.best.confidence,
            accepted=item.accepted,
        )
        for item in judged
        if item.best is not None and not item.best_right
    ]
    return tuple(sorted(wrong, key=lambda match: (-match.confidence, match.place))[:SHOWN])

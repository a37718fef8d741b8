"""What the engine makes of messages it had not seen: the same call that answers customers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from training.audit.rows import AuditRow
from yingda.domain.decision import Answer
from yingda.domain.message import Message
from yingda.retrieve.space import NONE_PREFIX

_BATCH = 64
_NO_ENTRY = 0.5
"""An entry that is more likely wrong than right is no label: the engine's word is then "no entry"."""


class Answerer(Protocol):
    """What answers messages: an engine, or a test's stand-in for one."""

    def answer_many(self, messages: Sequence[Message]) -> list[Answer]: ...


@dataclass(frozen=True, slots=True)
class Opinion:
    """The engine's word on one message.

    ``chances`` maps match classes to calibrated probabilities, those not named have next to none; ``margin`` in
    [0, 1] is the lead of the best entry or of "no entry" over the next.
    """

    intent: str
    label: str
    chances: Mapping[str, float]
    margin: float


def unseen(rows: Sequence[AuditRow], seen: Collection[str], *, limit: int, seed: int) -> list[int]:
    """Numbers of log rows whose normalised text is not in ``seen``, at most ``limit`` drawn with ``seed``.

    What the engine was trained on is no question to it: its word there would be its own echo.
    """
    fresh = np.asarray([number for number, row in enumerate(rows) if row.is_log and row.plain not in seen], np.intp)
    if len(fresh) > limit:
        fresh = np.sort(np.random.default_rng(seed).choice(fresh, limit, replace=False))
    return [int(number) for number in fresh]


def ask(
    engine: Answerer, rows: Sequence[AuditRow], numbers: Sequence[int], *, tick: Callable[[int], None] = lambda _: None
) -> dict[int, Opinion]:
    """Opinions by row number about the rows ``numbers``; ``tick`` gets the number of rows done."""
    found: dict[int, Opinion] = {}
    for start in range(0, len(numbers), _BATCH):
        part = numbers[start : start + _BATCH]
        answers = engine.answer_many([Message(rows[number].text) for number in part])
        found.update(zip(part, map(_opinion, answers), strict=True))
        tick(len(part))
    return found


def _opinion(answer: Answer) -> Opinion:
    intent = answer.classification.intent.code
    chances = {candidate.id: candidate.confidence for candidate in answer.candidates}
    chances[NONE_PREFIX + intent] = max(0.0, 1.0 - sum(chances.values()))
    order = sorted(chances, key=lambda name: -chances[name])
    best = answer.candidates[0]
    label = best.id if best.confidence >= _NO_ENTRY else NONE_PREFIX + intent
    return Opinion(intent, label, chances, min(1.0, chances[order[0]] - chances[order[1]]))

"""A ledger of what was acknowledged, and the audit of a database against it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Lock

from sqlalchemy import text

from tests.harness.chaos.client import until
from tests.harness.chaos.findings import Check, at_least, none
from yingda.store.base import open_store

Place = tuple[str, str]
"""A conversation and a message_id, whose order as texts is that in which they were sent."""


@dataclass
class Ledger:
    """What clients were told; threads share it.

    ``turns``: answer_id of each turn that was told to be stored; ``unsaved``: of those told not to be; ``feedback``: answer_id and
    label of each that was taken; ``troubles``: replies other than 200, by status, 0 for none at all.
    """

    turns: dict[Place, str] = field(default_factory=dict)
    unsaved: dict[Place, str] = field(default_factory=dict)
    feedback: set[tuple[str, str]] = field(default_factory=set)
    troubles: Counter[int] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def turn(self, place: Place, answer_id: str, *, stored: bool, ms: float) -> None:
        """A reply came."""
        with self._lock:
            (self.turns if stored else self.unsaved)[place] = answer_id
            self.slowest_ms = max(self.slowest_ms, ms)

    def thought(self, answer_id: str, label: str) -> None:
        """Feedback was taken."""
        with self._lock:
            self.feedback.add((answer_id, label))

    def trouble(self, status: int) -> None:
        """A request without the reply it asked for."""
        with self._lock:
            self.troubles[status] += 1

    def answered(self) -> Check:
        """Every request had the reply it asked for."""
        with self._lock:
            told = ", ".join(f"{count} of status {status}" for status, count in sorted(self.troubles.items()))
        return Check("requests without a reply", "0", told or 0, not told)

    @property
    def replies(self) -> int:
        """Turns that were answered."""
        with self._lock:
            return len(self.turns) + len(self.unsaved)

    def more(self, replies: int, *, seconds: float) -> bool:
        """Wait for so many more replies; False where they did not come."""
        goal = self.replies + replies
        return until(lambda: self.replies >= goal, seconds=seconds) is not None


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A row of turns: where it stands, its message_id (None where two processes answered), and its id."""

    conversation: str
    version: int
    message: str | None
    answer_id: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What is wrong in the database, counted; and how much is there."""

    lost: int
    altered: int
    duplicates: int
    out_of_order: int
    feedback_lost: int
    feedback_duplicates: int
    turns: int
    feedback: int

    def checks(self, ledger: Ledger) -> list[Check]:
        """All that has to hold."""
        return [
            at_least("turns acknowledged", len(ledger.turns), 1),
            none("acknowledged turns lost", self.lost),
            none("turns stored under another answer_id than told", self.altered),
            none("turns stored twice", self.duplicates),
            none("turns out of order", self.out_of_order),
            none("acknowledged feedback lost", self.feedback_lost),
            none("feedback stored twice", self.feedback_duplicates),
        ]


def audit(url: str, ledger: Ledger) -> Audit:
    """Compare the database at ``url``, which nobody writes to, with ``ledger``."""
    with closing(open_store(url)) as store, store.reading() as session:
        turns = session.execute(text("SELECT conversation_id, version, message_id, id FROM turns ORDER BY conversation_id, version")).all()
        thoughts = session.execute(text("SELECT answer_id, reasons FROM feedback")).all()
    rows = [StoredTurn(*row) for row in turns]
    labels = [(answer_id, label) for answer_id, reasons in thoughts for label in _list(reasons)]
    return compare(ledger, rows, labels)


def compare(ledger: Ledger, rows: Sequence[StoredTurn], feedback: Sequence[tuple[str, str]]) -> Audit:
    """As ``audit``, of ``rows`` in the order of conversation and version."""
    stored = {(row.conversation, row.message): row.answer_id for row in rows if row.message is not None}
    named = Counter((row.conversation, row.message) for row in rows)
    nameless = sum(row.message is None for row in rows)
    orders = ((one, other) for one, other in pairwise(rows) if one.conversation == other.conversation)
    return Audit(
        lost=sum(place not in stored for place in ledger.turns),
        altered=sum(stored.get(place, answer_id) != answer_id for place, answer_id in ledger.turns.items()),
        duplicates=_more(count for place, count in named.items() if place[1] is not None) + nameless,
        out_of_order=sum((one.message or "") > (other.message or "") for one, other in orders),
        feedback_lost=len(ledger.feedback - set(feedback)),
        feedback_duplicates=_more(Counter(feedback).values()),
        turns=len(rows),
        feedback=len(feedback),
    )


def _more(counts: Iterable[int]) -> int:
    return sum(count - 1 for count in counts)


def _list(value: object) -> list[str]:
    found = json.loads(value) if isinstance(value, str) else value
    return [str(each) for each in found] if isinstance(found, list) else []

"""Engines of earlier knowledge: what was in force when a turn was decided, put together again from the records of the store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import Protocol

from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.decision import Answer
from yingda.domain.errors import BundleError, PackError
from yingda.domain.message import Message
from yingda.domain.records import KnowledgeSnapshot
from yingda.engine import Engine
from yingda.replay.run import Decider

MOST = 4
"""Engines kept, those asked for last."""
MOST_ENTRIES = 50_000
"""Entries that they may have together; the last one is kept whatever its size."""
_UNKNOWN = 1024


class Records(Protocol):
    """What is asked of the store (see ``KnowledgeStore``)."""

    def then(self, at: datetime, fits: Callable[[KnowledgeSnapshot], bool]) -> KnowledgeSnapshot | None:
        """What fits of all that may have been in use about that time."""


class PastEngines:
    """Engines over earlier knowledge and one bundle; threads may share it, and one builds while the others wait.

    ``digest_of`` tells the digest of a snapshot's knowledge, ``build`` makes an engine of it: over the same bundle, so that
    it decides what was decided then, bit for bit.
    """

    def __init__(self, records: Records, *, digest_of: Callable[[KnowledgeSnapshot], str], build: Callable[[KnowledgeSnapshot], Engine]):
        self._records, self._digest_of, self._build = records, digest_of, build
        self._kept: OrderedDict[str, Engine] = OrderedDict()
        self._unknown: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def engine(self, digest: str, at: datetime) -> Engine | None:
        """The engine over the knowledge of that digest, in use at the time ``at``; None where the store cannot tell it.

        It may take as long as building does. Raises StoreError.
        """
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
                return self._kept[digest]
            if digest in self._unknown:
                return None
            engine = self._made(digest, at)
            if engine is None:
                self._unknown[digest] = None
            else:
                self._kept[digest] = engine
            self._forget()
            return engine

    def _made(self, digest: str, at: datetime) -> Engine | None:
        snapshot = self._records.then(at, lambda found: self._digest_of(found) == digest)
        try:
            return self._build(snapshot) if snapshot else None
        except (BundleError, PackError):  # records that made a shop for another version of this program
            return None

    def _forget(self) -> None:
        while len(self._kept) > MOST or (
            len(self._kept) > 1 and sum(len(each.knowledge.faq) for each in self._kept.values()) > MOST_ENTRIES
        ):
            self._kept.popitem(last=False)
        if len(self._unknown) > _UNKNOWN:
            self._unknown.popitem(last=False)


class AsThen:
    """Each turn by the engine that decided it, all others by the one of today.

    ``which`` names the knowledge of turns that are not of today by their ids; ``open_engine`` gives the engine of that digest.
    """

    def __init__(self, today: Decider, which: Mapping[str, str], open_engine: Callable[[str], Decider]) -> None:
        self._today, self._which, self._open = today, which, open_engine

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None) -> list[Answer]:
        """One answer for each message of the conversation whose state stands in the same place."""
        known = [NEW] * len(messages) if states is None else states
        places: dict[str | None, list[int]] = {}
        for place, message in enumerate(messages):
            places.setdefault(self._which.get(message.message_id or ""), []).append(place)
        found: dict[int, Answer] = {}
        for digest, some in places.items():
            decider = self._today if digest is None else self._open(digest)
            answers = decider.answer_many([messages[place] for place in some], [known[place] for place in some])
            found |= zip(some, answers, strict=True)
        return [found[place] for place in range(len(messages))]

"""The knowledge of a shop as one who follows it sees it: each snapshot made of the one before and of what was published since."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from types import MappingProxyType

from yingda.domain.records import KnowledgeSnapshot, RecordId, Version
from yingda.store.base import Store
from yingda.store.knowledge.timeline import begins, effective, next_change, publications
from yingda.store.knowledge.transactions import reading


class FollowedKnowledge:
    """Snapshots as ``KnowledgeStore.snapshot`` gives them, at a cost that grows with what changed and not with the shop.

    Steps are never changed, and writers follow one another: what was told still is, but for records with a newer step. Versions
    that stayed are the same objects in the next snapshot, so that what was made of them can be kept. Threads may share it.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._lock = store, Lock()
        self._version: int | None = None
        self._at: datetime | None = None
        self._lasting: dict[RecordId, Version] = {}
        self._timed: dict[RecordId, list[Version]] = {}

    def version(self) -> int:
        """The version of all knowledge: it grows with every publish, retirement, rollback and import."""
        with reading(self._store) as ledger:
            return ledger.version()

    def snapshot(self, at: datetime) -> KnowledgeSnapshot:
        """All that is effective at the time ``at``, and until when, as one moment of the database has it."""
        with self._lock:
            with reading(self._store) as ledger:
                version, managed = ledger.version(), ledger.managed()
                anew = self._version is None or self._at is None or version < self._version or at < self._at
                told = ledger.told() if anew else ledger.told_since(self._version or 0) if version != self._version else {}
            if anew:
                self._lasting, self._timed = {}, {}
            self._take(told)
            self._version, self._at = version, at
            changes = self._settle(at)
            speaking = {id_: found for id_, steps in self._timed.items() if (found := effective(steps, at))}
            return KnowledgeSnapshot(version, MappingProxyType({**self._lasting, **speaking}), changes, managed)

    def _take(self, told: Mapping[RecordId, list[Version]]) -> None:
        """What records say from now on in the place of what they said."""
        for id_, steps in told.items():
            self._lasting.pop(id_, None)
            self._timed[id_] = publications(steps)

    def _settle(self, at: datetime) -> datetime | None:
        """Set aside what speaks for good, and tell when the first of the others changes."""
        for id_, steps in list(self._timed.items()):
            if not steps:
                del self._timed[id_]
            elif len(steps) == 1 and steps[0].effective_until is None and begins(steps[0]) <= at:
                self._lasting[id_] = self._timed.pop(id_)[0]
        return min((change for steps in self._timed.values() if (change := next_change(steps, at))), default=None)

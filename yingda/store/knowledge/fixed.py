"""Records that nobody can change: what a pack knows, where no database keeps knowledge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from yingda.domain.records import Draft, ImportRow, KnowledgeSnapshot, NotFound, RecordId, RecordKind, Signed, Status, Version
from yingda.store.knowledge import lifecycle
from yingda.store.knowledge.conditions import default_title
from yingda.store.knowledge.difference import Change


class FixedRecords:
    """Each of ``rows`` as the only version of its record, published ``at`` that time; reads like a KnowledgeStore."""

    def __init__(self, rows: Mapping[RecordKind, Iterable[ImportRow]], by: Signed, *, at: datetime) -> None:
        drafts = [Draft(RecordId(kind, row.key), row.payload) for kind, held in rows.items() for row in held]
        versions = (lifecycle.written(None, one, by, at=at, title=default_title(one), two_people=False) for one in drafts)
        self._versions = {version.id: version for version in sorted(versions, key=lambda version: version.id)}

    def version(self) -> int:
        """Always 0: nothing changes."""
        return 0

    def get(self, id_: RecordId) -> Version:
        """The version of a record; raises NotFound."""
        if id_ not in self._versions:
            raise NotFound(f"{id_}: there is no such record; check kind and id")
        return self._versions[id_]

    def page(self, kind: RecordKind, *, after: str = "", limit: int = 100, status: Status | None = None) -> list[Version]:
        """Up to ``limit`` records of a kind whose id comes after ``after``, in order of the ids."""
        if status not in (None, Status.PUBLISHED):
            return []
        return [version for id_, version in self._versions.items() if id_.kind is kind and id_.key > after][:limit]

    def history(self, id_: RecordId) -> tuple[Version, ...]:
        """The only version; raises NotFound."""
        return (self.get(id_),)

    def diff(self, id_: RecordId, before: int, after: int) -> tuple[Change, ...]:
        """Nothing ever differs; raises NotFound for another revision than 1."""
        self.get(id_)
        if (before, after) != (1, 1):
            raise NotFound(f"{id_}: there is only revision 1")
        return ()

    def snapshot(self, at: datetime) -> KnowledgeSnapshot:  # noqa: ARG002 as a KnowledgeStore is asked
        """All of it, at any time."""
        return KnowledgeSnapshot(0, MappingProxyType(self._versions), None, frozenset(id_.kind for id_ in self._versions))

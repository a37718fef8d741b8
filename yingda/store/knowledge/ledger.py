"""Reading and adding steps inside one transaction; nothing here decides."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Row, Select, Table, bindparam, func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from yingda.domain.errors import StoreError
from yingda.domain.records import RecordId, RecordKind, Status, Version, canonical_json
from yingda.store.knowledge.tables import ClockRow, RecordRow, RevisionRow

_TOLD = (Status.PUBLISHED, Status.RETIRED)
_STEPS = cast(Table, RevisionRow.__table__)
_HEADS = cast(Table, RecordRow.__table__)


class Ledger:
    """The knowledge tables as one session sees them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def version(self) -> int:
        """The version of all knowledge."""
        return _counted(self._session.scalar(select(ClockRow.version)))

    def lock(self) -> int:
        """The version, with the lock that every writer takes first: writers follow one another, on PostgreSQL too."""
        return _counted(self._session.scalar(select(ClockRow.version).with_for_update()))

    def advance(self) -> int:
        """The next version of all knowledge, from the commit of this transaction on."""
        self._session.execute(update(ClockRow).values(version=ClockRow.version + 1))
        return self.version()

    def head(self, id_: RecordId) -> Version | None:
        """The newest step of a record."""
        return next(iter(self._steps(_HEADS.c.head == _STEPS.c.revision, *_is(id_))), None)

    def heads(self, kind: RecordKind) -> dict[str, Version]:
        """The newest step of each record of a kind, by key."""
        found = self._steps(_HEADS.c.head == _STEPS.c.revision, _HEADS.c.kind == str(kind))
        return {version.id.key: version for version in found}

    def page(self, kind: RecordKind, after: str, limit: int, status: Status | None) -> list[Version]:
        """The newest steps of up to ``limit`` records whose key comes after ``after``, in order of the keys."""
        where = [_HEADS.c.head == _STEPS.c.revision, _HEADS.c.kind == str(kind), _HEADS.c.key > after]
        where += [_STEPS.c.status == str(status)] if status else []
        return [_version(row) for row in self._session.execute(_joined(where).limit(limit))]

    def digests(self) -> set[tuple[str, str, str]]:
        """Kind, key and digest of everything that a record ever said."""
        return {(kind, key, digest) for kind, key, digest in self._session.execute(select(_STEPS.c.kind, _STEPS.c.key, _STEPS.c.digest))}

    def history(self, id_: RecordId) -> list[Version]:
        """Every step of a record, oldest first."""
        return self._steps(*_is(id_))

    def told(self, *where: ColumnElement[bool]) -> dict[RecordId, list[Version]]:
        """Steps that decide what customers are told now or later, by record, oldest first."""
        found: dict[RecordId, list[Version]] = {}
        for version in self._steps(_STEPS.c.revision >= _HEADS.c.live_since, _STEPS.c.status.in_(_TOLD), *where):
            found.setdefault(version.id, []).append(version)
        return found

    def told_since(self, version: int) -> dict[RecordId, list[Version]]:
        """Likewise, of the records of which what is told changed after ``version`` of all knowledge; of a silent one, nothing."""
        changed = select(_STEPS.c.kind, _STEPS.c.key).where(_STEPS.c.knowledge_version > version).distinct()
        found: dict[RecordId, list[Version]] = {RecordId(RecordKind(kind), key): [] for kind, key in self._session.execute(changed)}
        return found | self.told(tuple_(_STEPS.c.kind, _STEPS.c.key).in_(changed))

    def told_count(self, kind: RecordKind) -> int:
        """How many records of a kind customers are told now or later."""
        speaks = (_STEPS.c.revision >= _HEADS.c.live_since, _STEPS.c.status == str(Status.PUBLISHED), _HEADS.c.kind == str(kind))
        same = (_HEADS.c.kind == _STEPS.c.kind, _HEADS.c.key == _STEPS.c.key)
        found = select(func.count(_HEADS.c.key.distinct())).select_from(_STEPS.join(_HEADS, same[0] & same[1])).where(*speaks)
        return int(self._session.scalar(found) or 0)

    def told_of_kind(self, kind: RecordKind) -> dict[RecordId, list[Version]]:
        """Likewise, of one kind."""
        return self.told(_HEADS.c.kind == str(kind))

    def told_of_others(self, kind: RecordKind) -> dict[RecordId, list[Version]]:
        """Likewise, of all other kinds."""
        return self.told(_HEADS.c.kind != str(kind))

    def ever_told(self) -> dict[RecordId, list[Version]]:
        """Every step that ever decided what customers were told, those covered for good among them; by record, oldest first."""
        found: dict[RecordId, list[Version]] = {}
        for version in self._steps(_STEPS.c.status.in_(_TOLD), _STEPS.c.knowledge_version.is_not(None)):
            found.setdefault(version.id, []).append(version)
        return found

    def managed(self) -> frozenset[RecordKind]:
        """The kinds that have a record, whatever its status."""
        return frozenset(RecordKind(kind) for kind in self._session.scalars(select(RecordRow.kind).distinct()))

    def add(self, steps: Sequence[tuple[Version, int | None]]) -> None:
        """Add one step each to several records; beside it stands the oldest revision that can still speak."""
        if not steps:
            return
        new = [_head_values(version, since) for version, since in steps if version.revision == 1]
        moved = [_head_values(version, since) for version, since in steps if version.revision > 1]
        if new:
            self._session.execute(insert(RecordRow), new)
        if moved:
            place = (_HEADS.c.kind == bindparam("of_kind"), _HEADS.c.key == bindparam("of_key"))
            changed = update(_HEADS).where(*place).values(head=bindparam("head"), live_since=bindparam("live_since"))
            moves = [{"of_kind": one.pop("kind"), "of_key": one.pop("key"), **one} for one in moved]
            self._session.connection().execute(changed, moves)
        self._session.execute(insert(RevisionRow), [_step_values(version) for version, _ in steps])

    def _steps(self, *where: ColumnElement[bool]) -> list[Version]:
        return [_version(row) for row in self._session.execute(_joined(where))]


def _joined(where: Iterable[ColumnElement[bool]]) -> Select[Any]:
    same = (_HEADS.c.kind == _STEPS.c.kind, _HEADS.c.key == _STEPS.c.key)
    return select(_STEPS).join(_HEADS, same[0] & same[1]).where(*where).order_by(_STEPS.c.kind, _STEPS.c.key, _STEPS.c.revision)


def _is(id_: RecordId) -> tuple[ColumnElement[bool], ...]:
    return (_HEADS.c.kind == str(id_.kind), _HEADS.c.key == id_.key)


def _counted(version: int | None) -> int:
    if version is None:
        raise StoreError("the knowledge tables are not set up; run `yingda store migrate`", code="store_not_migrated")
    return version


def _head_values(version: Version, since: int | None) -> dict[str, Any]:
    return {"kind": str(version.id.kind), "key": version.id.key, "head": version.revision, "live_since": since}


def _step_values(version: Version) -> dict[str, Any]:
    names = (column.name for column in _STEPS.columns if column.name not in ("kind", "key", "status", "payload"))
    plain = {name: getattr(version, name) for name in names}
    id_ = {"kind": str(version.id.kind), "key": version.id.key}
    return {**id_, **plain, "status": str(version.status), "payload": canonical_json(version.payload)}


def _version(row: Row[Any]) -> Version:
    # by place: a shop has many rows, and taking columns by name would be half of the time
    kind, key, revision, number, name, status, author, actor, reviewer, at, reason, payload, *rest = tuple(row)
    id_ = RecordId(RecordKind(kind), key)
    return Version(id_, revision, number, name, Status(status), author, actor, reviewer, at, reason, json.loads(payload), *rest)

"""A person's data in the store: found by hash and by text, deleted with their conversations, and proved to be gone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from sqlite3 import Error as SqliteError
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Row, Select, Table, and_, delete, func, or_, select, tuple_
from sqlalchemy.orm import Session

from yingda.domain.errors import StoreError
from yingda.privacy.person import Person, Traces
from yingda.privacy.places import Counts
from yingda.store.base import Store, dump_json
from yingda.store.failures import failures
from yingda.store.migrate import METADATA
from yingda.store.tables import ConversationRow, FeedbackRow, HandoffRow, TurnRow
from yingda.store.vault import Vault, VaultError

PAGE = 500
"""Rows read or conversations deleted at once; a writer of turns never waits for more."""

_CHUNK = 1 << 20
_TABLES = ("conversations", "turns", "handoffs", "feedback")


class StoredData:
    """The store as a Place (see ``yingda.privacy.places``); conversations go whole, with all that hangs on them."""

    def __init__(self, store: Store, vault: Vault | None = None) -> None:
        self.name, self._store, self._vault = f"store {store.url}", store, vault

    def conversations_of(self, person: Person) -> list[str]:
        """Ids of the conversations in which the customer took part, or in which any of the identifiers stands.

        Raises VaultError where originals would have to be read for that and cannot be.
        """
        found = set[str]()
        if person.hash is not None:
            with self._store.reading() as session:
                found.update(session.scalars(select(TurnRow.conversation_id).where(TurnRow.customer == person.hash).distinct()))
                found.update(session.scalars(select(ConversationRow.id).where(ConversationRow.customer == person.hash)))
        if person.texts:
            self._check_readable()
            found.update(self._saying(Traces(person)))
        return sorted(found)

    def ids_of(self, conversations: Sequence[str]) -> set[str]:
        """Ids of those conversations and of their turns."""
        ids = set(conversations)
        for page in _pages(conversations):
            with self._store.reading() as session:
                ids.update(session.scalars(select(TurnRow.id).where(TurnRow.conversation_id.in_(page))))
        return ids

    def search(self, person: Person) -> Counts:
        """Rows of any table, and bytes of the files of SQLite, that are about ``person``."""
        traces, counts = Traces(person), dict[str, int]()
        for table in METADATA.sorted_tables:
            if found := sum(traces.stand_in(text) for text in self._rows_of(table)):
                counts[table.name] = found
        if theirs := self.conversations_of(person):
            counts["conversations"] = max(counts.get("conversations", 0), len(theirs))
        if places := sum(_occurrences(path, _spellings(person)) for path in self._files()):
            counts["bytes"] = places
        return counts

    def erase(self, person: Person) -> Counts:
        """Delete their conversations, and make the database forget the pages they stood on."""
        theirs = self.conversations_of(person)
        counts = self._delete(theirs)
        self.compact()
        return counts

    def forget_before(self, when: datetime, *, dry_run: bool) -> Counts:
        """What is older: conversations whole, and of those that go on their turns, feedback and closed hand-offs."""
        counts = self._delete(self._ids(ConversationRow.updated_at < when), dry_run=dry_run)
        going_on = select(ConversationRow.id).where(ConversationRow.updated_at >= when)
        old_turns = and_(TurnRow.at < when, TurnRow.conversation_id.in_(going_on))
        said_of_old = FeedbackRow.answer_id.in_(select(TurnRow.id).where(old_turns))
        said_long_ago = and_(
            FeedbackRow.at < when, FeedbackRow.answer_id.in_(select(TurnRow.id).where(TurnRow.conversation_id.in_(going_on)))
        )
        old = {
            "feedback": or_(said_of_old, said_long_ago),  # before the turns, which would take it along uncounted
            "turns": old_turns,
            "handoffs": and_(HandoffRow.released_at < when, HandoffRow.conversation_id.in_(going_on)),
        }
        with self._store.writing() if not dry_run else self._store.reading() as session:
            for name, which in old.items():
                counts[name] = counts.get(name, 0) + (_count if dry_run else _delete_rows)(session, name, which)
        return {name: count for name, count in counts.items() if count}

    def compact(self) -> None:
        """Leave nothing of deleted rows in the files: SQLite is checkpointed and rebuilt, PostgreSQL's tables vacuumed.

        Raises StoreError while others hold the database so that it cannot be done.
        """
        if self._store.engine.dialect.name == "sqlite":
            self._rebuild()
            return
        with failures(self._store.url), self._store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in _TABLES:
                connection.exec_driver_sql(f"VACUUM {table}")

    def _rebuild(self) -> None:
        """Past SQLAlchemy, which would begin a transaction that VACUUM cannot run in."""
        try:
            with failures(self._store.url), closing(self._store.engine.raw_connection()) as connection:
                raw: Any = connection.driver_connection
                for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                    row = raw.execute(statement).fetchone()
            held = bool(row and row[0])  # the checkpoint gave way to a reader
        except SqliteError:
            held = True
        if held:
            detail = f"store {self._store.url}: its rows are deleted, but others hold the file so that their pages stay; try again"
            raise StoreError(f"{detail}, or stop the server", code="store_locked")

    def searched(self) -> Counts:
        """Rows of each table, as a certificate names them."""
        with self._store.reading() as session:
            return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in METADATA.sorted_tables}

    def note(self) -> str | None:
        """What the database keeps beyond our reach."""
        if self._store.engine.dialect.name == "sqlite":
            return "backups of the file are not reached; delete those made before"
        return "PostgreSQL was vacuumed; its write-ahead log, archives, replicas and backups are not reached; let those made before expire"

    def _check_readable(self) -> None:
        """Raise VaultError where originals are kept and no vault could open them: they would not be searched."""
        if self._vault is None:
            with self._store.reading() as session:
                if session.scalar(select(TurnRow.id).where(TurnRow.sealed.is_not(None)).limit(1)) is not None:
                    detail = "originals are sealed and --text must search them; name the keys with YINGDA_VAULT_KEYS or --vault-keys"
                    raise VaultError(detail, code="vault_no_key")

    def _saying(self, traces: Traces) -> Iterator[str]:
        """Ids of conversations in which any of the identifiers stands, in whatever column."""
        for table, column in ((TurnRow, "conversation_id"), (HandoffRow, "conversation_id"), (ConversationRow, "id")):
            for row in self._rows(cast(Table, table.__table__)):
                texts = list(_texts(row))
                if isinstance(row.sealed if table is TurnRow else None, dict) and self._vault is not None:
                    texts += self._vault.open(row.id, row.sealed).values()
                if any(traces.are_said_in(text) for text in texts):
                    yield str(getattr(row, column))
        asked = select(TurnRow.conversation_id, FeedbackRow.comment, FeedbackRow.reasons).join(TurnRow, TurnRow.id == FeedbackRow.answer_id)
        with self._store.reading() as session:
            for conversation, *said in session.execute(asked):
                if any(traces.are_said_in(str(each)) for each in said if each):
                    yield conversation

    def _rows_of(self, table: Table) -> Iterator[str]:
        """Each row of a table as one text."""
        for row in self._rows(table):
            yield "\n".join(_texts(row))

    def _rows(self, table: Table) -> Iterator[Row[Any]]:
        keys = list(table.primary_key.columns)
        asked: Select[Any] = select(table).order_by(*keys).limit(PAGE)
        page = self._read(asked)
        while page:
            yield from page
            last = [page[-1]._mapping[key] for key in keys]
            page = self._read(asked.where(tuple_(*keys) > tuple_(*last)))

    def _read(self, asked: Select[Any]) -> Sequence[Row[Any]]:
        with self._store.reading() as session:
            return session.execute(asked).all()

    def _ids(self, which: ColumnElement[bool]) -> list[str]:
        with self._store.reading() as session:
            return list(session.scalars(select(ConversationRow.id).where(which).order_by(ConversationRow.id)))

    def _delete(self, conversations: Sequence[str], *, dry_run: bool = False) -> dict[str, int]:
        """Delete conversations, a page a transaction; what hangs on them goes by the foreign keys, and is counted first."""
        total = dict.fromkeys(_TABLES, 0)
        for page in _pages(conversations):
            with self._store.reading() if dry_run else self._store.writing() as session:
                turns = select(TurnRow.id).where(TurnRow.conversation_id.in_(page))
                total["turns"] += _count(session, "turns", TurnRow.conversation_id.in_(page))
                total["handoffs"] += _count(session, "handoffs", HandoffRow.conversation_id.in_(page))
                total["feedback"] += _count(session, "feedback", FeedbackRow.answer_id.in_(turns))
                of_page = ConversationRow.id.in_(page)
                total["conversations"] += (
                    _count(session, "conversations", of_page) if dry_run else _delete_rows(session, "conversations", of_page)
                )
        return {name: count for name, count in total.items() if count}

    def _files(self) -> list[Path]:
        """The files of SQLite; none for PostgreSQL, whose files are the server's."""
        if self._store.engine.dialect.name != "sqlite":
            return []
        path = str(self._store.engine.url.database)
        return [file for end in ("", "-wal", "-shm", "-journal") if (file := Path(path + end)).is_file()]


def _texts(row: Row[Any]) -> Iterator[str]:
    for value in row:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            yield dump_json(value)


def _count(session: Session, name: str, which: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(METADATA.tables[name]).where(which)) or 0


def _delete_rows(session: Session, name: str, which: ColumnElement[bool]) -> int:
    return cast(CursorResult[Any], session.execute(delete(METADATA.tables[name]).where(which))).rowcount


def _pages(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), PAGE):
        yield names[start : start + PAGE]


def _spellings(person: Person) -> list[bytes]:
    """The bytes in which an identifier would stand: as it is, and escaped as JSON does."""
    texts = person.exact()
    return sorted({form.encode("utf-8", "surrogatepass") for text in texts for form in (text, json.dumps(text)[1:-1])})


def _occurrences(path: Path, parts: Sequence[bytes]) -> int:
    """How often any of ``parts`` stands in a file, which may be larger than the memory."""
    overlap, found, tail = max((len(part) for part in parts), default=1) - 1, 0, b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            # only what ends in this chunk is counted, so that nothing counts twice
            window = tail + chunk
            found += sum(window.count(part) - tail.count(part) for part in parts)
            tail = window[-overlap:] if overlap else b""
    return found

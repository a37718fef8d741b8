"""The database itself: how it is opened, how a transaction runs, and column types that behave alike on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from sqlite3 import Connection as SqliteConnection
from sqlite3 import Error as SqliteFailure
from sqlite3 import IntegrityError as SqliteIntegrityError
from sqlite3 import OperationalError as SqliteError
from time import monotonic, sleep
from typing import Any, cast

from sqlalchemy import JSON, DateTime, Engine, MetaData, String, create_engine, event, text
from sqlalchemy.engine import URL, Connection, Dialect, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from yingda.domain.errors import StoreError
from yingda.store.failures import failures, refusal

WAIT_S = 5
"""Seconds to wait for a connection, or for another writer to finish, before giving up."""

_PAUSE_S = 0.005
_WRITES = "yingda_writes"
_FORMS = "sqlite:///FILE or postgresql://USER@HOST/DATABASE"


class Base(DeclarativeBase):
    """Parent of every table; constraints have names, so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: takes datetimes with an offset only, gives them back in UTC, orders by time; microseconds are kept."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: Dialect) -> datetime | None:
        """UTC, refusing what has no offset, for nobody knows which moment it is."""
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError("a time without offset cannot be stored; give it its time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _: Dialect) -> datetime | None:
        """UTC; SQLite has no offsets and holds UTC alone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Json = JSON(none_as_null=True)
"""JSON as it was written: keys stay in order (PostgreSQL's JSONB would sort them), None is NULL, NaN is refused."""

Identifier = String().with_variant(String(collation="C"), "postgresql")
"""A name that programs compare: both databases order it by code point."""


@dataclass(frozen=True, slots=True)
class Store:
    """An open database; threads and tasks may share it, and each transaction takes a connection of its pool."""

    engine: Engine
    _writer: Engine = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_writer", self.engine.execution_options(**{_WRITES: True}))

    @property
    def url(self) -> str:
        """Where it is, without the password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session whose reads see one moment (on SQLite; PostgreSQL reads what is committed); nothing is written.

        Raises StoreError, in one line, for whatever the database refuses.
        """
        with failures(self.url), Session(self.engine, autoflush=False, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is committed, durably, when the block ends and rolled back when it raises.

        On SQLite it holds the write lock from the start, so that what it reads cannot change before it writes.
        IntegrityError of SQLAlchemy comes through, for the caller knows which constraint means what; all else is StoreError.
        """
        with failures(self.url), Session(self.writer(), autoflush=False, expire_on_commit=False) as session, session.begin():
            yield session

    def writer(self) -> Engine:
        """The same engine, whose transactions take SQLite's write lock as they begin."""
        return self._writer

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """Like ``reading``, without the cost of a session: for statements made of tables."""
        with failures(self.url), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """Like ``writing``, without the cost of a session: for statements made of tables."""
        with failures(self.url), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def plainly(self) -> Iterator[SqliteConnection]:
        """Like ``changing``, on SQLite's driver itself; its IntegrityError comes through."""
        with failures(self.url):
            taken = self.engine.raw_connection()
            try:
                connection = cast(SqliteConnection, taken.driver_connection)
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except SqliteIntegrityError:
                raise
            except SqliteFailure as error:
                raise refusal(self.url, error) from None
            finally:
                taken.close()  # which takes back what was not committed

    def glance(self, statement: str) -> Any:
        """The first value that ``statement`` finds, which has no parameters and writes nothing; None where it finds nothing.

        For what every message asks: on SQLite it goes to the driver, outside of any transaction. Raises StoreError.
        """
        if self.engine.dialect.name == "sqlite":
            with suppress(SqliteFailure), failures(self.url):  # what is wrong is said below
                return self._glance(statement)
        with self.looking() as connection:
            return connection.execute(text(statement)).scalar()

    def _glance(self, statement: str) -> Any:
        connection = self.engine.raw_connection()
        try:
            found = connection.driver_connection.execute(statement).fetchone()  # type: ignore[union-attr]
        finally:
            connection.close()
        return None if found is None else found[0]

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


def open_store(url: str, *, wait_s: float = WAIT_S) -> Store:
    """The database at ``url`` (``sqlite:///FILE`` or ``postgresql://USER@HOST/DATABASE``); connects on first use.

    A lock or a connection is waited for ``wait_s`` seconds (PostgreSQL's driver waits at least 2 for a connection).
    Raises StoreError for a URL that is neither, or when the driver is not installed. Tables are made by
    ``yingda.store.migrate``.
    """
    parsed = _parse(url)
    lite = parsed.get_backend_name() == "sqlite"
    options: dict[str, Any] = {"timeout": wait_s} if lite else {"connect_timeout": max(2, round(wait_s))}
    try:
        engine = create_engine(
            parsed,
            connect_args=options,
            hide_parameters=True,  # parameters hold what customers wrote
            json_serializer=dump_json,
            pool_pre_ping=not lite,
            pool_timeout=wait_s,
        )
    except ModuleNotFoundError as error:
        raise StoreError(
            f"the PostgreSQL driver is not installed ({error.name}); run `pip install 'yingda[postgres]'`", code="store_driver"
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", partial(_prepare_sqlite, wait_s))
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", partial(_prepare_postgres, wait_s))
    return Store(engine)


class JsonText(str):
    """JSON as ``dump_json`` wrote it: a column of JSON takes it as it is, so that nothing is written twice."""

    __slots__ = ()


def dump_json(value: Any) -> JsonText:
    """``value`` as compact JSON in its own order, readable in Chinese; raises ValueError for NaN and infinities."""
    if isinstance(value, JsonText):
        return value
    text = _READABLE.encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair has no bytes of its own, only an escape
        return JsonText(_ESCAPED.encode(value))
    return JsonText(text)


def _plain(value: object) -> dict[str, Any]:
    """A mapping that cannot be written to is an object like any other."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


_READABLE, _ESCAPED = (
    json.JSONEncoder(ensure_ascii=ascii_only, separators=(",", ":"), allow_nan=False, default=_plain) for ascii_only in (False, True)
)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(f"the store's URL cannot be read; write {_FORMS}", code="store_url") from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        if parsed.database in (None, "", ":memory:"):
            raise StoreError("a store in memory would forget everything; write sqlite:///FILE", code="store_url")
        return parsed
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    raise StoreError(f"the store cannot be kept in '{parsed.drivername}'; write {_FORMS}", code="store_url")


def _prepare_sqlite(wait_s: float, connection: Any, _: Any) -> None:
    """Readers beside one writer (WAL), every commit on disk before it returns (FULL), foreign keys kept, deleted rows wiped."""
    connection.isolation_level = None  # SQLAlchemy begins transactions itself, see _begin_sqlite
    connection.execute(f"PRAGMA busy_timeout={round(wait_s * 1000)}")
    _use_wal(connection, wait_s)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _use_wal(connection: Any, wait_s: float) -> None:
    """Make the file's journal a WAL, waiting for whoever does so at the same moment.

    SQLite refuses all but one of those who open a new file together, and at once: it does not call its busy handler where
    waiting might deadlock (https://sqlite.org/c3ref/busy_handler.html).
    """
    deadline = monotonic() + wait_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except SqliteError:
            if monotonic() > deadline:
                raise
            sleep(_PAUSE_S)


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that will write takes the lock at once: one that read first could not get it any more."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_postgres(wait_s: float, connection: Any, _: Any) -> None:
    """Commits reach the disk even where the server's default is not to wait; a lock is waited for as long as on SQLite."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
        cursor.execute(f"SELECT set_config('lock_timeout', '{round(wait_s * 1000)}ms', false)")
    connection.commit()

"""Opening a store, its column types and what it says when it fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from tests.store_kit import BACKENDS, NOON, opened
from yingda.domain.errors import StoreError
from yingda.store.base import Json, Store, UtcDateTime, open_store

SAMPLES = Table(
    "samples",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime),
    Column("value", Json),
)


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened(request.param, tmp_path) as store:
        SAMPLES.metadata.create_all(store.engine)
        yield store


def failing(store: Store, statement: str) -> StoreError:
    with pytest.raises(StoreError) as caught, store.writing() as session:
        session.execute(text(statement))
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_time_comes_back_in_utc_to_the_microsecond(store: Store) -> None:
    at = NOON.replace(microsecond=123456)
    with store.writing() as session:
        session.execute(insert(SAMPLES), [{"id": 1, "at": at}, {"id": 2, "at": None}])

    with store.reading() as session:
        first, second = session.scalars(select(SAMPLES.c.at).order_by(SAMPLES.c.id))
        earlier = session.scalar(select(func.count()).where(SAMPLES.c.at < NOON))

    assert (first, second, earlier) == (at, None, 0)
    assert first.tzinfo is UTC


def test_a_time_without_offset_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="refused"), store.writing() as session:
        session.execute(insert(SAMPLES), {"at": datetime(2026, 11, 11)})


def test_json_keeps_order_numbers_and_odd_characters(store: Store) -> None:
    value = {"z": [1, 2.5, -0.1, 10**20], "a": {"空": None, "half": "\udc80", "nul": "\x00", "真": True}}
    with store.writing() as session:
        session.execute(insert(SAMPLES), {"id": 1, "value": value})

    with store.reading() as session:
        back = session.scalar(select(SAMPLES.c.value))

    assert back == value
    assert list(back) == ["z", "a"]


def test_a_block_that_raises_writes_nothing(store: Store) -> None:
    with pytest.raises(KeyError), store.writing() as session:
        session.execute(insert(SAMPLES), {"id": 1})
        raise KeyError
    with pytest.raises(IntegrityError), store.writing() as session:
        session.execute(insert(SAMPLES), {"id": 2})
        session.execute(insert(SAMPLES), {"id": 2})

    with store.reading() as session:
        assert session.scalar(select(func.count()).select_from(SAMPLES)) == 0


def test_missing_tables_say_what_to_run(store: Store) -> None:
    error = failing(store, "SELECT * FROM nowhere")

    assert (error.code, str(error).endswith("run `yingda store migrate`")) == ("store_not_migrated", True)


def test_an_error_never_quotes_what_was_to_be_written(store: Store) -> None:
    error = failing(store, "INSERT INTO samples (id, at, nothing) VALUES (1, NULL, '张三的秘密')")

    assert "张三" not in str(error)
    assert error.__cause__ is None and error.__suppress_context__


def test_commits_wait_for_the_disk_and_foreign_keys_are_kept(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as store, store.reading() as session:
        settings = {name: session.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous", "foreign_keys")}

    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_many_who_open_a_new_file_at_the_same_moment_wait_for_each_other(tmp_path: Path) -> None:
    """SQLite itself refuses all but one who turns the journal into a WAL, without waiting: seen once in a dozen files."""
    for file in range(25):
        together = Barrier(8)

        def use(_: int, url: str = f"sqlite:///{tmp_path}/{file}.db", together: Barrier = together) -> str:
            together.wait()
            with closing(open_store(url)) as store, store.writing() as session:
                return str(session.scalar(text("PRAGMA journal_mode")))

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(use, range(8))) == ["wal"] * 8


def test_commits_wait_for_the_disk_on_postgresql_whatever_the_server_says(tmp_path: Path) -> None:
    with opened("postgresql", tmp_path) as store:
        with store.engine.connect() as connection:
            name = connection.execute(text("SELECT current_database()")).scalar()
            connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
            connection.commit()
        store.close()  # the setting counts from the next connection on
        with store.reading() as session:
            assert session.execute(text("SHOW synchronous_commit")).scalar() == "on"


def test_readers_go_on_beside_a_writer(store: Store) -> None:
    with store.writing() as session:
        session.execute(insert(SAMPLES), {"id": 1})
        with store.reading() as reader:
            assert reader.scalar(select(func.count()).select_from(SAMPLES)) == 0


def test_a_locked_file_is_named_as_such(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as store, closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with store.reading() as session:
            session.execute(text("PRAGMA busy_timeout=1"))  # that connection goes back to the pool and is the next one used
        assert failing(store, "DELETE FROM turns").code == "store_locked"


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://root:geheim@host/db", "nonsense", "", "postgresql+asyncpg://host/db"]
)
def test_a_url_that_cannot_be_used_is_refused_at_once(url: str) -> None:
    with pytest.raises(StoreError, match=r"write sqlite:///FILE") as caught:
        open_store(url)

    assert caught.value.code == "store_url"
    assert "geheim" not in str(caught.value)


def test_what_cannot_be_reached_is_named_without_its_password(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("no database, but long enough to be looked at" * 50)
    cases = {
        f"sqlite:///{tmp_path}/missing/store.db": "its folder exists",
        f"sqlite:///{tmp_path}/notes.db": "no SQLite database",
        f"postgresql://anna:geheim@/db?host={tmp_path}": "check that it runs",
    }
    for url, remedy in cases.items():
        with pytest.raises(StoreError, match=remedy) as caught, open_store(url).reading() as session:
            session.execute(text("SELECT 1"))
        assert caught.value.code == "store_unreachable"
        assert "geheim" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_glance_finds_the_first_value_and_sees_what_others_wrote(store: Store) -> None:
    assert store.glance("SELECT max(id) FROM samples") is None
    assert store.glance("SELECT id FROM samples") is None
    with store.writing() as session:
        session.execute(insert(SAMPLES), [{"id": 7}])
    assert store.glance("SELECT max(id) FROM samples") == 7


def test_a_glance_that_fails_says_so_in_one_line(store: Store) -> None:
    with pytest.raises(StoreError) as caught:
        store.glance("SELECT max(id) FROM nowhere")
    assert caught.value.code == "store_not_migrated" and "\n" not in str(caught.value)

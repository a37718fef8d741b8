"""Tables come, go and are what the models say, on both databases."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from tests.store_kit import BACKENDS, a_turn, database
from yingda.domain.errors import StoreError
from yingda.store.base import open_store
from yingda.store.conversations import SqlMemory
from yingda.store.migrate import METADATA, check, differences, downgrade, migrate, revisions


@pytest.fixture(params=BACKENDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database(request.param, tmp_path) as url:
        yield url


def test_a_store_that_is_up_to_date_is_opened_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    migrate(url)
    code = f"import sys; from yingda.store.migrate import migrate; sys.exit(migrate({url!r}) != [] or 'alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def tables_of(url: str) -> set[str]:
    with closing(open_store(url)) as store:
        return set(inspect(store.engine).get_table_names()) - {"alembic_version"}


def test_migrating_makes_what_the_models_say_and_going_back_leaves_nothing(url: str) -> None:
    assert migrate(url) == revisions()
    assert check(url) == revisions()[-1]
    assert tables_of(url) == set(METADATA.tables)
    assert differences(url) == []

    downgrade(url, "base")

    assert tables_of(url) == set()
    assert migrate(url) == revisions()


def test_going_back_to_the_conversations_keeps_them(url: str) -> None:
    migrate(url)
    with closing(open_store(url)) as store:
        SqlMemory(store).remember(a_turn(1), version=0)

    downgrade(url, "0001")
    migrate(url)

    with closing(open_store(url)) as store:
        assert SqlMemory(store).turns("c-1") == [a_turn(1)]


def test_migrating_again_does_nothing(url: str) -> None:
    migrate(url)

    assert migrate(url) == []


def test_of_several_who_migrate_at_once_one_does_it(url: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        applied = list(pool.map(lambda _: migrate(url), range(3)))

    assert sorted(applied) == [[], [], revisions()]
    assert differences(url) == []


def test_a_store_without_tables_says_what_to_run(url: str) -> None:
    with pytest.raises(StoreError, match="run `yingda store migrate`") as checked:
        check(url)
    with closing(open_store(url)) as store, pytest.raises(StoreError, match="run `yingda store migrate`") as used:
        SqlMemory(store).recall("c-1")

    assert checked.value.code == used.value.code == "store_not_migrated"


def test_a_store_of_a_newer_program_is_left_alone(url: str) -> None:
    migrate(url)
    with closing(open_store(url)) as store, store.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    for use in (check, migrate, lambda url: downgrade(url, "base")):
        with pytest.raises(StoreError, match="revision 9999 is newer") as caught:
            use(url)
        assert caught.value.code == "store_too_new"
    assert tables_of(url) == set(METADATA.tables)


def test_an_unknown_revision_is_named_with_those_there_are(url: str) -> None:
    migrate(url)

    with pytest.raises(StoreError, match=r"no revision 'x'; choose among base, 0001"):
        downgrade(url, "x")

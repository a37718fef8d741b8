"""The store's tables, brought to the version this program needs; safe to run from many processes at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, text

from yingda.domain.errors import StoreError
from yingda.store.base import Base, Store, open_store
from yingda.store.failures import failures

if TYPE_CHECKING:
    from alembic.config import Config

# Alembic is imported where tables change: a store that is up to date is opened at every start, and needs none of it.

_HERE = Path(__file__).parent
_PATIENCE_MS = 600_000
_ADVISORY_LOCK = 0x59_69_6E_67_64_61  # "Yingda": one number for all who migrate this database

for _file in sorted(_HERE.rglob("*tables.py")):  # each adds its tables to the metadata
    import_module(".".join(("yingda.store", *_file.relative_to(_HERE).with_suffix("").parts)))

METADATA = Base.metadata
"""Every table of the store."""


def migrate(url: str) -> list[str]:
    """Bring the store at ``url`` to the newest revision; returns the revisions applied, in order, none when it is there.

    All or nothing, in one transaction; a second process waits for the first and then finds nothing to do.
    Raises StoreError when the database cannot be used or is newer than this program.
    """
    with closing(open_store(url)) as store:
        if _is_newest(store):
            return []
        with _alone(store) as connection:
            before = _revision(connection)
            _refuse_newer(before, store.url)
            _run(connection, "upgrade", "head")
            return _between(before)


def downgrade(url: str, revision: str) -> None:
    """Take back what came after ``revision`` (``base`` for all); the data of tables that go is lost."""
    with closing(open_store(url)) as store, _alone(store) as connection:
        _refuse_newer(_revision(connection), store.url)
        if revision != "base" and revision not in revisions():
            raise StoreError(f"there is no revision '{revision}'; choose among base, {', '.join(revisions())}", code="store_revision")
        _run(connection, "downgrade", revision)


def check(url: str) -> str:
    """The revision of the store at ``url``; raises StoreError unless it is the one this program needs."""
    with closing(open_store(url)) as store:
        return check_store(store)


def check_store(store: Store) -> str:
    """Like ``check``, for a store that is open; one query."""
    with failures(store.url), store.engine.connect() as connection:
        found = _revision(connection)
    _refuse_newer(found, store.url)
    if found != revisions()[-1]:
        detail = f"store {store.url}: its tables are missing or old (revision {found or 'none'}); run `yingda store migrate`"
        raise StoreError(detail, code="store_not_migrated")
    return found


def revisions() -> list[str]:
    """Every revision this program knows, oldest first."""
    from alembic.script import ScriptDirectory

    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]


def differences(url: str) -> list[object]:
    """What autogenerate would change to make the database at ``url`` like the models; nothing, if a revision made both."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with closing(open_store(url)) as store, failures(store.url), store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, METADATA))


@contextmanager
def _alone(store: Store) -> Iterator[Connection]:
    """A connection in a transaction that no other migration shares; committed at the end."""
    lite = store.engine.dialect.name == "sqlite"
    with failures(store.url), store.writer().connect() as connection:
        if lite:  # outside of any transaction, where the pragma counts
            _foreign_keys(connection, "OFF")  # a table that is built anew would take with it all rows that point to it
            _be_patient(connection)
        with connection.begin():
            if not lite:
                connection.execute(text("SET LOCAL lock_timeout = '10min'"))  # the other migration may take its time
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            yield connection
            if lite:
                _check_foreign_keys(connection, store.url)


def _be_patient(connection: Connection) -> None:
    """Wait for a migration that another process has begun, however slow the disk: it is no writer that hangs."""
    raw = connection.connection.driver_connection
    if raw is not None:
        raw.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")


def _foreign_keys(connection: Connection, state: str) -> None:
    raw = connection.connection.driver_connection
    if raw is not None:
        raw.execute(f"PRAGMA foreign_keys={state}")


def _check_foreign_keys(connection: Connection, where: str) -> None:
    if connection.execute(text("PRAGMA foreign_key_check")).first() is not None:
        raise StoreError(f"store {where}: rows point to rows that are gone; restore a backup and report this", code="store_broken")


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE / "migrations").replace("%", "%%"))
    return config


def _run(connection: Connection, direction: Literal["upgrade", "downgrade"], revision: str) -> None:
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    step = command.upgrade if direction == "upgrade" else command.downgrade
    step(config, revision)


def _is_newest(store: Store) -> bool:
    """True where the tables are of the newest revision, by one look; False where that is not plain to see."""
    try:
        with failures(store.url), store.engine.connect() as connection:
            return [*connection.execute(text("SELECT version_num FROM alembic_version")).scalars()] == [_newest()]
    except StoreError:
        return False


def _newest() -> str:
    """The newest revision, by the names of the files, which are numbered: ``v0005_sealed.py`` holds 0005."""
    return max(file.name[1:5] for file in (_HERE / "migrations" / "versions").glob("v[0-9][0-9][0-9][0-9]_*.py"))


def _revision(connection: Connection) -> str | None:
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def _between(before: str | None) -> list[str]:
    known = revisions()
    return known if before is None else known[known.index(before) + 1 :]


def _refuse_newer(found: str | None, where: str) -> None:
    if found is not None and found not in revisions():
        detail = f"store {where}: its revision {found} is newer than this program knows; install a newer yingda"
        raise StoreError(detail, code="store_too_new")

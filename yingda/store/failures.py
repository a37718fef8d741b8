"""What a database says when it fails, as one line that says what to do; never with the values it was given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Error as SqliteFailure

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from yingda.domain.errors import StoreError

_MIGRATE = "its tables are missing or old; run `yingda store migrate`"
_LOCKED = "another writer held its lock for too long; try again, and look for a transaction left open"
_UNREACHABLE = "it cannot be reached; check that it runs, the URL and the permissions"
_FULL = "its disk is full; make room"

_BY_SQLITE = {
    "SQLITE_BUSY": ("store_locked", _LOCKED),
    "SQLITE_LOCKED": ("store_locked", _LOCKED),
    "SQLITE_CANTOPEN": ("store_unreachable", "the file cannot be opened; check that its folder exists and may be written to"),
    "SQLITE_READONLY": ("store_unreachable", "the file is read-only; check its permissions and those of its folder"),
    "SQLITE_NOTADB": ("store_unreachable", "the file is no SQLite database; name another"),
    "SQLITE_CORRUPT": ("store_broken", "the file is damaged; restore a backup"),
    "SQLITE_FULL": ("store_full", _FULL),
    "SQLITE_IOERR": ("store_broken", "its disk fails to read or write; check the disk"),
}
_BY_SQLSTATE = {  # class of two characters, or the whole state (PostgreSQL manual, appendix A)
    "08": ("store_unreachable", _UNREACHABLE),
    "28": ("store_unreachable", "it refuses the user or password; check the URL"),
    "3D000": ("store_unreachable", "it has no such database; create it with `createdb`"),
    "57P": ("store_unreachable", "it is starting or stopping; try again"),
    "53100": ("store_full", _FULL),
    "53300": ("store_busy", "it takes no more connections; raise max_connections or run fewer workers"),
    "55P03": ("store_locked", _LOCKED),
    "40": ("store_locked", _LOCKED),
    "42P01": ("store_not_migrated", _MIGRATE),
    "42703": ("store_not_migrated", _MIGRATE),
    "42501": ("store_unreachable", "the user may not do this; grant the rights"),
    "25006": ("store_unreachable", "it is read-only, perhaps a standby; use the primary"),
}


AWAY = frozenset(
    ("store_away", "store_slow", "store_unreachable", "store_locked", "store_busy", "store_full", "store_broken", "store_not_migrated")
)
"""Codes that speak of the store and not of what was asked of it: what cannot be written now may be written later."""


def is_away(error: StoreError) -> bool:
    """True where the store itself fails; what was asked of it may be asked again later."""
    return error.code in AWAY


@contextmanager
def failures(where: str) -> Iterator[None]:
    """Turn what SQLAlchemy raises in the block into StoreError; IntegrityError comes through.

    The cause is not chained: a driver's message may quote what it was asked to write.
    """
    try:
        yield
    except IntegrityError:
        raise
    except SQLAlchemyError as error:
        code, remedy = _explain(error)
        raise StoreError(f"store {where}: {remedy}", code=code) from None
    except UnicodeEncodeError:
        raise StoreError(f"store {where}: a text is no valid Unicode; send valid Unicode", code="store_refused") from None


def refusal(where: str, error: SqliteFailure) -> StoreError:
    """What SQLite's driver raised, as ``failures`` tells it."""
    code, remedy = _of_sqlite(getattr(error, "sqlite_errorname", None) or type(error).__name__, str(error))
    return StoreError(f"store {where}: {remedy}", code=code)


def _explain(error: SQLAlchemyError) -> tuple[str, str]:
    """A stable code and the remedy."""
    if isinstance(error, PoolTimeout):
        return "store_busy", "all connections are in use; try again, or run fewer requests at once"
    if not isinstance(error, DBAPIError) or error.orig is None:
        return "store_refused", f"the request was refused ({type(error.__cause__ or error).__name__})"
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return _of_sqlite(name, str(error.orig))
    return _of_postgres(getattr(error.orig, "sqlstate", None), error)


def _of_sqlite(name: str, said: str) -> tuple[str, str]:
    if said.startswith(("no such table", "no such column")) or " has no column named " in said:
        return "store_not_migrated", _MIGRATE
    family = "_".join(name.split("_")[:2])
    return _BY_SQLITE.get(family, ("store_refused", f"the request was refused ({name})"))


def _of_postgres(state: str | None, error: DBAPIError) -> tuple[str, str]:
    if state is None:  # libpq could not connect, or the connection broke
        unreachable = type(error.orig).__name__ in ("OperationalError", "ConnectionTimeout", "InterfaceError")
        return ("store_unreachable", _UNREACHABLE) if unreachable else ("store_refused", "the request was refused; check the values")
    for length in (5, 3, 2):
        if known := _BY_SQLSTATE.get(state[:length]):
            return known
    return "store_refused", f"the request was refused (SQLSTATE {state})"

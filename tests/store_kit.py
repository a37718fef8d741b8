"""Databases for tests of the store: each test runs on SQLite and on PostgreSQL, in a database of its own.

PostgreSQL is a cluster in a temporary folder, started from the binaries on this machine when the first test needs it, on a
socket and without a port; or the server that ``YINGDA_TEST_POSTGRES_URL`` names, whose user may create databases.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from secrets import token_hex
from tempfile import mkdtemp
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from yingda.domain.conversation import NEW, Asked, ConversationState
from yingda.domain.knowledge import Priority
from yingda.domain.takeover import Handoff, Reason
from yingda.store.base import Store, open_store
from yingda.store.migrate import migrate
from yingda.store.records import Masked, StoredTurn, TurnFacts

BACKENDS = ("sqlite", "postgresql")
VARIABLE = "YINGDA_TEST_POSTGRES_URL"
NOON = datetime(2026, 11, 11, 12, tzinfo=timezone(timedelta(hours=8)))
STANDING = Handoff(True, (Reason.REQUESTED, Reason.VIP), "vip", Priority.HIGH, ("supervisor",), ("大促",))


@contextmanager
def database(backend: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database; it is gone afterwards. Skips the test where there is no PostgreSQL."""
    if backend == "sqlite":
        yield f"sqlite:///{folder / 'store.db'}"
        return
    with _made(_server()) as url:
        yield url


@contextmanager
def migrated(backend: str, folder: Path) -> Iterator[str]:
    """The URL of a database with all tables, a copy of one that was migrated once."""
    if backend == "sqlite":
        yield f"sqlite:///{empty_copy(folder)}"
        return
    with _made(_server(), template=_migrated_template()) as url:
        yield url


@contextmanager
def _made(server: str, *, template: str | None = None) -> Iterator[str]:
    """The URL of a database of its own at ``server``, a copy of ``template`` where one is named; it is gone afterwards."""
    name = f"yingda_test_{token_hex(6)}"
    _execute(server, f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
    try:
        yield _url(server, name)
    finally:
        _execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def empty_copy(folder: Path) -> Path:
    """A SQLite file in ``folder`` with all tables and no rows."""
    return Path(shutil.copy(_migrated_file(), folder / "store.db"))


@contextmanager
def opened(backend: str, folder: Path) -> Iterator[Store]:
    """An open store with all tables."""
    with migrated(backend, folder) as url, closing(open_store(url)) as store:
        yield store


def a_turn(number: int = 1, **changes: Any) -> StoredTurn:
    """Turn ``number`` of conversation c-1, a second after the one before, with ``changes``."""
    state = ConversationState(Asked("ship-when", "什么时候发"), repeats=number, facts=("order_no",), last_at=NOON)
    values: dict[str, Any] = {
        "turn_id": f"01J{number:023d}",
        "conversation_id": "c-1",
        "message_id": f"m-{number}",
        "digest": f"{number:064x}",
        "at": NOON + timedelta(seconds=number),
        "text": Masked("我的电话〔手机号〕，什么时候发"),
        "state": state,
        "answer": {"outcome": "answered", "reply": {"text": "48 小时内发出。"}, "missing": [], "faq": None, "confidence": 0.1},
        "facts": TurnFacts("answered", "ORDER_SHIP_TIME", "ORDER", "neutral", "ship-when", 0.97, customer="a" * 64),
    }
    return StoredTurn(**{**values, **changes})


def handed_over(number: int = 1, **changes: Any) -> StoredTurn:
    """A turn after which a person is called."""
    return a_turn(number, **{"state": ConversationState(NEW.question, dissatisfied=2, standing=STANDING), **changes})


@cache
def _migrated_file() -> Path:
    folder = Path(mkdtemp(prefix="yingda-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    migrate(f"sqlite:///{folder / 'store.db'}")  # closed at the end, so that all is in the one file
    return folder / "store.db"


@cache
def _migrated_template() -> str:
    server, name = _server(), f"yingda_test_{token_hex(6)}_template"
    _execute(server, f'CREATE DATABASE "{name}"')
    atexit.register(_execute, server, f'DROP DATABASE IF EXISTS "{name}"')
    migrate(_url(server, name))
    return name


def _server() -> str:
    """The URL of a database of the server, from which others are made."""
    given = os.environ.get(VARIABLE)
    if given:
        return _url(given, make_url(given).database or "postgres")
    programs = postgres_programs()
    if programs is None:
        pytest.skip(f"no PostgreSQL here: install Debian's `postgresql`, or name a server in {VARIABLE}")
    return _started(programs)


def postgres_programs() -> Path | None:
    """The folder of initdb and pg_ctl, the newest where there are several."""
    found = shutil.which("pg_ctl")
    if found and (folder := Path(found).resolve().parent).joinpath("initdb").exists():
        return folder
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return installed[-1].parent if installed else None


@cache
def _started(binaries: Path) -> str:
    """A new cluster that ends with this process; fsync is off, for no test pulls the plug."""
    folder = Path(mkdtemp(prefix="yingda-", dir="/tmp" if Path("/tmp").is_dir() else None))  # a socket's path must be short
    run_as_server(folder, [binaries / "initdb", "-D", folder / "data", "-U", "yingda", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"])
    options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=50"
    start = [binaries / "pg_ctl", "start", "-w", "-D", folder / "data", "-l", folder / "log", "-o", options]
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    run_as_server(folder, start)
    atexit.register(run_as_server, folder, [binaries / "pg_ctl", "stop", "-m", "immediate", "-D", folder / "data"])
    return f"postgresql+psycopg://yingda@/postgres?host={folder}"


def run_as_server(folder: Path, command: list[Any]) -> None:
    """Run a program of PostgreSQL, which refuses to be root."""
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = next(entry for entry in pwd.getpwall() if entry.pw_name in ("postgres", "nobody"))
        os.chown(folder, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    # discarded, not piped: the server would keep a pipe open for as long as it runs
    who |= {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([str(part) for part in command], check=True, cwd=folder, env={"PATH": os.defpath, "LC_ALL": "C"}, **who)


def _url(server: str, name: str) -> str:
    return make_url(server).set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False)


def _execute(server: str, statement: str) -> None:
    """``statement`` in a connection of its own, as making and dropping databases needs."""
    url = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())

"""The store goes away and comes back, and what the server says of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.harness.chaos.site import Serving

_EMPTY_BYTES = 16
"""A journal's file in which nothing waits (docs/durability.md)."""


def tells(serving: Serving) -> bool:
    """True when /readyz says that the store is away."""
    told = serving.ready()
    return is_told(told.status, told.body)


def is_told(status: int, body: Any) -> bool:
    """By a 503 with a code of the store, or by what it says about the store."""
    if not isinstance(body, dict):
        return False
    if status == 503:
        return str(body.get("code", "")).startswith("store_")
    store = body.get("store")
    return status == 200 and isinstance(store, dict) and store.get("down_since") is not None


def drained(folder: Path) -> bool:
    """True when nothing waits in the journals below ``folder``."""
    return all(path.stat().st_size <= _EMPTY_BYTES for path in folder.rglob("*") if path.is_file())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process, this one, holds the lock of the SQLite file."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")

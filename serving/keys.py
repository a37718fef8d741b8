"""The API keys of a running server: read at start, and followed while their file changes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

from structlog.typing import FilteringBoundLogger

from yingda.access.file import read_records
from yingda.access.keys import AccessError, KeyRecord, KeyRing, NewKey, make_key
from yingda.access.scopes import Scope

__all__ = ["AccessError", "KeyFollower", "KeyRecord", "KeyRing", "NewKey", "Scope", "follow_keys", "make_key", "read_keys"]

FOLLOW_S = 0.5
"""Seconds between two looks at the file."""

_PATIENCE_S = 2.0

_Signature = tuple[int, int, int, int]


def read_keys(path: Path) -> KeyRing:
    """The keys in the file at ``path``; raises AccessError naming the file and the record at fault, or that it holds none."""
    records = read_records(path)
    if not records:
        raise AccessError(f"{path}: holds no key; make one with `yingda keys create`")
    return KeyRing(records)


def follow_keys(path: Path, log: FilteringBoundLogger) -> KeyFollower:
    """The keys in the file at ``path``, and a follower of it that is not started yet; raises AccessError as ``read_keys``."""
    signature = _signature(path)  # before the file is read: a change in between is seen at the next look
    return KeyFollower(path, read_keys(path), signature, log)


class KeyFollower:
    """A ring of keys that is replaced when its file changes; a file that cannot be used leaves the last good keys in use.

    A thread looks at the file's inode, size and times; it is parsed only when they change, and never while a request waits.
    """

    def __init__(self, path: Path, ring: KeyRing, signature: _Signature | None, log: FilteringBoundLogger) -> None:
        self._path, self._ring, self._seen, self._log = path, ring, signature, log
        self._stop = Event()
        self._thread = Thread(target=self._follow, name="keys", daemon=True)

    def look_up(self, key: bytes) -> tuple[KeyRecord | None, str | None]:
        """See KeyRing."""
        return self._ring.look_up(key)

    def look(self) -> None:
        """Take the file as it is now, if it has changed since the last look."""
        now = _signature(self._path)
        if now == self._seen:
            return
        self._seen = now
        try:
            records = read_records(self._path)
        except AccessError as error:
            self._log.error("keys_stay", detail=str(error), keys=len(self._ring.records))
            return
        self._ring = KeyRing(records)
        current = datetime.now(UTC)
        good = sum(record.refusal(current) is None for record in records)
        self._log.info("keys_in_use", keys=good, refused=len(records) - good)

    def start(self) -> None:
        """Follow the file from now on."""
        self._thread.start()

    def close(self) -> None:
        """Follow it no more; a file system that hangs is not waited for."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_S)

    def _follow(self) -> None:
        while not self._stop.wait(FOLLOW_S):
            self.look()


def _signature(path: Path) -> _Signature | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

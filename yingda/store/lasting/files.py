"""Files of the journal as it needs them: locked, written at a place and on the disk when a call returns."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import time_ns
from typing import Protocol

SUFFIX = ".journal"

_sync = getattr(os, "fdatasync", os.fsync)


class JournalFile(Protocol):
    """An open file that no other process has locked; methods raise OSError."""

    def read(self) -> bytes:
        """All of it."""

    def write(self, data: bytes, at: int) -> None:
        """Put ``data`` at that offset; on the disk when it returns."""

    def note(self, data: bytes, at: int) -> None:
        """Like ``write``, without waiting for the disk: it survives the process, perhaps not the machine."""

    def cut(self, size: int) -> None:
        """Let go of what stands behind ``size``."""

    def remove(self) -> None:
        """Delete and close it."""

    def close(self) -> None:
        """Close it, for whoever starts next."""


class Files(Protocol):
    """A folder of journals."""

    def create(self) -> JournalFile:
        """A new empty file, locked by this process; raises OSError."""

    def orphans(self) -> Iterator[JournalFile]:
        """The files that no living process has, oldest first, locked by this one from now on."""

    def set_aside(self, data: bytes) -> None:
        """Keep ``data`` for a person to look at; raises OSError."""


class DiskFile:
    """A JournalFile on the disk; readable by its owner alone, for it holds what customers wrote (masked)."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path, self._handle = path, handle

    def read(self) -> bytes:
        """See JournalFile."""
        return self.path.read_bytes()

    def write(self, data: bytes, at: int) -> None:
        """See JournalFile."""
        self.note(data, at)
        _sync(self._handle)

    def note(self, data: bytes, at: int) -> None:
        """See JournalFile."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self._handle, view, at)
            view, at = view[written:], at + written

    def cut(self, size: int) -> None:
        """See JournalFile."""
        os.ftruncate(self._handle, size)

    def remove(self) -> None:
        """See JournalFile."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """See JournalFile."""
        os.close(self._handle)


class Folder:
    """Journals in one folder, a file a process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> JournalFile:
        """See Files."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            path = self.path / f"{time_ns():020d}-{os.getpid()}{SUFFIX}"
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            if _lock(path, handle):
                self._sync()
                return DiskFile(path, handle)
            os.close(handle)  # whoever looks for orphans was quicker, and has removed it

    def orphans(self) -> Iterator[JournalFile]:
        """See Files."""
        for path in sorted(self.path.glob(f"*{SUFFIX}")):
            with suppress(OSError):
                handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                if _lock(path, handle):
                    yield DiskFile(path, handle)
                else:
                    os.close(handle)

    def set_aside(self, data: bytes) -> None:
        """See Files."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.path / "refused.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, data + b"\n")
            _sync(handle)
        finally:
            os.close(handle)

    def _sync(self) -> None:
        """A new name is on the disk once its folder is."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _lock(path: Path, handle: int) -> bool:
    """True when the file is this process's now, and still has its name."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(handle).st_ino == path.stat().st_ino
    except OSError:
        return False

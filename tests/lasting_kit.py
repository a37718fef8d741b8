"""A store that goes away and a disk that fills up on command, for tests of what goes on without them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from tests.store_kit import NOON, a_turn, empty_copy
from yingda.domain.errors import StoreError
from yingda.domain.takeover import Reason
from yingda.store.base import Store, open_store
from yingda.store.conversations import SqlMemory
from yingda.store.group_commit import GroupCommit
from yingda.store.health import StoreHealth
from yingda.store.lasting.breaker import Breaker, Within, at_once
from yingda.store.lasting.files import DiskFile, Folder, JournalFile
from yingda.store.lasting.keeping import Keeping
from yingda.store.lasting.memory import LastingMemory
from yingda.store.records import Feedback, HandoffOpened

OPENED = HandoffOpened((Reason.REQUESTED,), NOON, {"summary": "要人工"})
GOOD = Feedback(a_turn(1).turn_id, "d" * 64, NOON, 5)


def health(memory: LastingMemory) -> StoreHealth:
    """How its store fares."""
    found = memory.health()
    assert found is not None
    return found


@dataclass
class Trouble:
    """What fails from now on: ``down`` is the code of the store's failure, ``mute`` loses the answer to what it has written, ``uncut``
    lets no file become shorter."""

    down: str | None = None
    mute: bool = False
    disk_full: bool = False
    uncut: bool = False
    asked: int = 0
    files: list[DiskFile] = field(default_factory=list)


class TroubledStore(Store):
    """A store that does as ``trouble`` says."""

    def __init__(self, engine: Engine, trouble: Trouble) -> None:
        super().__init__(engine)
        object.__setattr__(self, "trouble", trouble)

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """See Store."""
        self._fail()
        with super().looking() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """See Store."""
        self._fail()
        with super().reading() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """See Store."""
        self._fail()
        with super().writing() as session:
            yield session

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """See Store."""
        self._fail()
        with super().changing() as connection:
            yield connection
        if self._trouble.mute:
            raise StoreError("the connection broke while it committed", code="store_unreachable")

    @contextmanager
    def plainly(self) -> Iterator[SqliteConnection]:
        """See Store."""
        self._fail()
        with super().plainly() as connection:
            yield connection
        if self._trouble.mute:
            raise StoreError("the connection broke while it committed", code="store_unreachable")

    def _fail(self) -> None:
        self._trouble.asked += 1
        if self._trouble.down:
            raise StoreError("away", code=self._trouble.down)

    @property
    def _trouble(self) -> Trouble:
        trouble: Trouble = self.trouble  # type: ignore[attr-defined]
        return trouble


class TroubledFile(DiskFile):
    """A file on a disk that, once it is full, takes the first half of what it is given."""

    def __init__(self, path: Path, handle: int, trouble: Trouble) -> None:
        super().__init__(path, handle)
        self._trouble = trouble

    def write(self, data: bytes, at: int) -> None:
        """See JournalFile."""
        if self._trouble.disk_full:
            self.note(data[: len(data) // 2], at)
            raise OSError(errno.ENOSPC, "no space left on device")
        super().write(data, at)

    def cut(self, size: int) -> None:
        """See JournalFile."""
        if self._trouble.disk_full or self._trouble.uncut:
            raise OSError(errno.EIO, "the disk is sick")
        super().cut(size)

    def close(self) -> None:
        """See JournalFile."""
        self._trouble.files.remove(self)
        super().close()


class TroubledFolder(Folder):
    """A folder whose files do as ``trouble`` says."""

    def __init__(self, path: Path, trouble: Trouble) -> None:
        super().__init__(path)
        self._trouble = trouble

    def create(self) -> JournalFile:
        """See Files."""
        if self._trouble.disk_full:
            raise OSError(errno.ENOSPC, "no space left on device")
        return self._troubled(super().create())

    def orphans(self) -> Iterator[JournalFile]:
        """See Files."""
        return map(self._troubled, super().orphans())

    def _troubled(self, file: JournalFile) -> JournalFile:
        assert isinstance(file, DiskFile)
        found = TroubledFile(file.path, file._handle, self._trouble)
        self._trouble.files.append(found)
        return found


@dataclass
class Shop:
    """One database, the journals beside it, and the processes that come and go."""

    folder: Path
    trouble: Trouble = field(default_factory=Trouble)
    limit: int = 1_000_000
    unsaved: int = 100
    within: Within = at_once
    clock: Callable[[], datetime] = lambda: NOON
    _writers: list[GroupCommit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.url = f"sqlite:///{empty_copy(self.folder)}"
        self.plain = open_store(self.url)
        self.stored = SqlMemory(self.plain)

    def process(self, **changes: Any) -> LastingMemory:
        """A memory as a new process has it."""
        sql = SqlMemory(TroubledStore(self.plain.engine, self.trouble))
        writer = GroupCommit(sql.write_all, patience_s=60)
        self._writers.append(writer)
        folder = TroubledFolder(self.folder / "waiting", self.trouble)
        keeping = Keeping(folder, limit=self.limit, unsaved=self.unsaved)
        return LastingMemory(sql, writer=writer, breaker=Breaker(self.clock, self.within), keeping=keeping, **changes)

    def kill(self) -> None:
        """What the system does to the files of a process that is killed."""
        for file in list(self.trouble.files):
            self.trouble.files.remove(file)
            os.close(file._handle)

    def journals(self) -> list[Path]:
        """The files of journals there are."""
        return sorted((self.folder / "waiting").glob("*.journal"))

    def close(self) -> None:
        """End all."""
        for writer in self._writers:
            writer.close()
        self.kill()
        self.plain.close()

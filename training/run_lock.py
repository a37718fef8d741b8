"""One run a folder, also after the driver was killed while a stage of it still works."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from yingda.domain.errors import MaterialError

LOCK = "lock"
_PATIENCE_S = 10.0
_PAUSE_S = 0.05
_RECORD_BYTES = 64  # written over the one before in a single call, so a record is never half new

_SIGN_AND_START = f"""
import json, os, sys
record = json.dumps({{"pid": int(sys.argv[2]), "stage": os.getpid()}})
os.pwrite(int(sys.argv[1]), record.ljust({_RECORD_BYTES}).encode(), 0)
os.execv(sys.executable, [sys.executable, *sys.argv[3:]])
"""


@dataclass(frozen=True)
class Holder:
    """Who wrote the record: the driver, and the process group of its stage while one works."""

    driver: int
    stage: int | None


@dataclass(frozen=True)
class RunLock:
    """A held lock; the system frees it when the last process that has ``descriptor`` open is gone, however it ends.

    Stages inherit it, so that a stage left behind by a killed driver still holds it.
    """

    descriptor: int

    def command(self, arguments: Sequence[str]) -> list[str]:
        """A Python process that signs the record and becomes ``python ARGUMENTS``: no stage ever works unsigned."""
        signed = ["-I", "-S", "-c", _SIGN_AND_START, str(self.descriptor), str(os.getpid())]
        return [sys.executable, *signed, *arguments]

    def sign(self) -> None:
        """Write that this process holds the lock and no stage works."""
        record = json.dumps({"pid": os.getpid(), "stage": None})
        os.pwrite(self.descriptor, record.ljust(_RECORD_BYTES).encode(), 0)


@contextmanager
def hold(run: Path) -> Iterator[RunLock]:
    """Hold the lock of the folder ``run``; ends a stage whose driver is dead, raises MaterialError while a driver lives."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(run / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise MaterialError(f"{run}: cannot be written ({error.strerror}); name another folder with --run") from error
    try:
        if not _taken(descriptor):
            _end_orphan(descriptor, run)
        lock = RunLock(descriptor)
        lock.sign()
        yield lock
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end_orphan(descriptor: int, run: Path) -> None:
    began = time.monotonic()
    while (waited := time.monotonic() - began) < 2 * _PATIENCE_S:
        holder = _read(descriptor)
        if holder and _lives(holder.driver):
            raise MaterialError(
                f"{run}: another retraining (process {holder.driver}) works here; wait for it, or name another folder with --run"
            )
        if holder and holder.stage:
            with suppress(ProcessLookupError, PermissionError):  # it holds the lock, so the number is still that of the stage
                os.killpg(holder.stage, signal.SIGTERM if waited < _PATIENCE_S else signal.SIGKILL)
        time.sleep(_PAUSE_S)
        if _taken(descriptor):
            return
    raise MaterialError(f"{run}: a stage of an earlier run still works here; end it, or name another folder with --run")


def _read(descriptor: int) -> Holder | None:
    try:
        fields = json.loads(os.pread(descriptor, _RECORD_BYTES, 0))
        return Holder(int(fields["pid"]), None if fields["stage"] is None else int(fields["stage"]))
    except (ValueError, KeyError, TypeError):
        return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_dead(Path(f"/proc/{pid}/stat"))


def _is_dead(status: Path) -> bool:
    """True for a killed process that nobody has reaped yet: it keeps its number and does nothing more (Linux)."""
    try:
        state = status.read_text("ascii", errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in ("Z", "X")

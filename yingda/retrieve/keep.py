"""Keep the index of a space on disk between starts: read it where it fits, else build it and leave it for the next."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock, Thread
from time import sleep

from yingda.domain.errors import BundleError
from yingda.retrieve.index import FaqIndex
from yingda.retrieve.space import MatchSpace
from yingda.retrieve.storage import UnfitIndexError, holds_index, load_index, save_index

LOCK = ".lock"
QUIET_S = 5.0
"""Seconds without another publication before an index is saved: a change is not to wait for the disk, nor each of many be written."""

_log = logging.getLogger(__name__)


class SavedIndex:
    """The index kept in ``folder`` for the processes that open it: one of them writes at a time, and none waits for another's writing.

    With ``writes`` off it is only read. What cannot be written is said once. ``rest`` passes so many seconds.
    """

    def __init__(self, folder: Path, *, writes: bool = True, rest: Callable[[float], None] = sleep) -> None:
        self.folder = folder
        self._writes, self._rest = writes, rest
        self._lock, self._told = Lock(), False
        self._waiting: tuple[FaqIndex, Callable[[], str]] | None = None
        self._thread: Thread | None = None

    def first(self, space: MatchSpace, *, source: str, build: Callable[[], FaqIndex]) -> FaqIndex:
        """The index for a process that starts: as ``keep_index``, or read and not kept where nothing is to be written."""
        if self._writes:
            return keep_index(self.folder, space, source=source, build=build, unkept=self._unkept)
        try:
            return load_index(self.folder, space, source=source)
        except BundleError:
            return build()

    def later(self, index: FaqIndex, *, source: Callable[[], str]) -> None:
        """Save ``index`` on a thread of its own once ``QUIET_S`` pass without another; returns at once."""
        if not self._writes:
            return
        with self._lock:
            self._waiting = index, source
            if self._thread is None:
                self._thread = Thread(target=self._save, name="index", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Wait until what is to be saved is saved."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _save(self) -> None:
        while True:
            with self._lock:
                seen = self._waiting
                if seen is None:
                    self._thread = None
                    return
            self._rest(QUIET_S)
            with self._lock:
                if self._waiting is not seen:
                    continue
                self._waiting = None
            self._write(seen[0], seen[1]())

    def _write(self, index: FaqIndex, source: str) -> None:
        try:
            with _alone(self.folder, wait=False):
                if not holds_index(self.folder, source=source):
                    save_index(index, self.folder, source=source)
        except BlockingIOError:
            return  # another process writes just now, most likely the same
        except (BundleError, OSError) as error:
            self._unkept(self.folder, error)

    def _unkept(self, folder: Path, error: BundleError | OSError) -> None:
        if not self._told:
            self._told = True
            tell_unkept(folder, error)


def tell_unkept(folder: Path, error: BundleError | OSError) -> None:
    """Log that an index stays in memory alone."""
    reason = error.strerror if isinstance(error, OSError) else error
    _log.warning("%s: the index is not kept (%s); give it room and permissions", folder, reason)


def keep_index(
    folder: Path,
    space: MatchSpace,
    *,
    source: str,
    build: Callable[[], FaqIndex],
    unkept: Callable[[Path, BundleError | OSError], None] = tell_unkept,
) -> FaqIndex:
    """The index below ``folder`` where it is of ``source`` (see ``index_source``), else what ``build`` makes, saved there.

    Processes that start together build once: the others wait and read. A damaged index is built again, and a folder
    that cannot be written leaves the index in memory alone, which ``unkept`` is told; each is one line in the log, never an error.
    """
    try:
        return load_index(folder, space, source=source)
    except BundleError:
        pass  # perhaps another process is replacing it just now: what is wrong is said once that cannot be
    with ExitStack() as held:
        try:
            held.enter_context(_alone(folder))
        except OSError as error:
            unkept(folder, error)
            return build()
        try:
            return load_index(folder, space, source=source)
        except UnfitIndexError:
            pass  # none yet, or one of other entries: nothing is wrong
        except BundleError as error:
            _log.warning("%s; this is done now", error)
        index = build()
        try:
            save_index(index, folder, source=source)
        except BundleError as error:
            unkept(folder, error)
        return index


@contextmanager
def _alone(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of ``folder``, which ends with the process however it ends.

    Raises OSError where it cannot be made, BlockingIOError where another has it and this one is not to ``wait``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield

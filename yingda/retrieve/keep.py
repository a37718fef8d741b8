"""Keep the index of a space on disk between starts: read it where it fits, else build it and leave it for the next."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from yingda.domain.errors import BundleError
from yingda.retrieve.index import FaqIndex
from yingda.retrieve.space import MatchSpace
from yingda.retrieve.storage import UnfitIndexError, load_index, save_index

LOCK = ".lock"

_log = logging.getLogger(__name__)


def keep_index(folder: Path, space: MatchSpace, *, source: str, build: Callable[[], FaqIndex]) -> FaqIndex:
    """The index below ``folder`` where it is of ``source`` (see ``index_source``), else what ``build`` makes, saved there.

    Processes that start together build once: the others wait and read. A damaged index is built again, and a folder
    that cannot be written leaves the index in memory alone; each is one line in the log, never an error.
    """
    try:
        return load_index(folder, space, source=source)
    except BundleError:
        pass  # perhaps another process is replacing it just now: what is wrong is said once that cannot be
    with ExitStack() as held:
        try:
            held.enter_context(_alone(folder))
        except OSError as error:
            _log.warning("%s: the index is not kept (%s); give it room and permissions", folder, error.strerror)
            return build()
        return _read_or_build(folder, space, source, build)


def _read_or_build(folder: Path, space: MatchSpace, source: str, build: Callable[[], FaqIndex]) -> FaqIndex:
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
        _log.warning("%s", error)
    return index


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of ``folder``, which ends with the process however it ends; raises OSError where it cannot be made."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield

"""What a process does with its memory once it has loaded what it serves, and once it serves something else."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_THRESHOLDS = (10_000, 20, 20)


def give_back_memory() -> None:
    """Return freed memory to the system: glibc keeps what loading needed, and a process would stay that large (malloc_trim(3))."""
    with suppress(OSError, AttributeError):  # other C libraries have no such call
        ctypes.CDLL(None).malloc_trim(0)


def settle_in() -> None:
    """Call it when all is loaded: the garbage collector no longer walks through that, and what loading needed is given back.

    Young objects are looked at less often than by default: nearly all that a reply needs is freed by its reference count.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    give_back_memory()


def leave_behind() -> None:
    """Call it when something else was loaded in the place of what ``settle_in`` set aside: that may be garbage now."""
    gc.unfreeze()
    give_back_memory()

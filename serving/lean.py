"""What a process leaves out while it starts, and what it does with its memory once it has loaded what it serves, or something else."""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Any

_THRESHOLDS = (10_000, 20, 20)
_LEFT_OUT = ("pydantic.v1", "rich", "scipy")
"""What libraries of the server import where it happens to be installed, and do without where it is not, as in a bare install."""


def travel_light() -> None:
    """Call it before anything else is imported: what a server never uses is not imported, though it may be installed.

    Nor does the garbage collector look, until ``settle_in``, at what is being loaded and stays.
    """
    gc.disable()
    modules: dict[str, Any] = sys.modules
    for name in _LEFT_OUT:
        modules.setdefault(name, None)  # an import of it fails as if it were not installed (import system, "The module cache")


def set_aside() -> None:
    """Call it when all is imported: modules stay, so that the collector need not look through them once it looks at all.

    Nothing happens in a process that did not ``travel_light``.
    """
    if not gc.isenabled():
        gc.freeze()


def give_back_memory(library: Any = None) -> bool:
    """Return freed memory to the system: glibc keeps what loading needed, and a process would stay that large (malloc_trim(3)).

    False where the C ``library`` (this process's own) has no such call.
    """
    try:
        (library or ctypes.CDLL(None)).malloc_trim(0)
    except (OSError, AttributeError):
        return False
    return True


def settle_in() -> None:
    """Call it when all is loaded: the garbage collector no longer walks through that, and what loading needed is given back.

    Young objects are looked at less often than by default: nearly all that a reply needs is freed by its reference count.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    gc.enable()
    give_back_memory()


def leave_behind() -> None:
    """Call it when something else was loaded in the place of what ``settle_in`` set aside: that may be garbage now."""
    gc.unfreeze()
    give_back_memory()

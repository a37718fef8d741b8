"""What a process that has loaded everything gives back: memory that loading needed and serving does not."""

from __future__ import annotations

import ctypes
from array import array
from contextlib import suppress
from typing import Any


def trim() -> None:
    """Give freed memory back to the system, where the C library can (glibc's ``malloc_trim``); elsewhere nothing happens."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def slim(identifier: Any) -> None:
    """Take out of a py3langid identifier what it needs only to be given other languages, and pack its lists of numbers.

    It tells the same of every text. An identifier of another make stays as it is.
    """
    if not hasattr(identifier, "_full_model"):
        return
    identifier._full_model = None
    identifier.tk_row = None
    for name in ("_rowbase", "tk_output"):
        numbers = getattr(identifier, name, None)
        if isinstance(numbers, list) and all(type(number) is int for number in numbers):
            setattr(identifier, name, array("i", numbers))

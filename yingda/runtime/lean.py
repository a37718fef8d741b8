"""Libraries made smaller from outside: what they hold and serving never asks for."""

from __future__ import annotations

from array import array
from typing import Any


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

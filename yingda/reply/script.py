"""How a message writes Chinese: in traditional or in simplified characters."""

from __future__ import annotations

from functools import lru_cache

from opencc import OpenCC

_READ = 200
"""Characters that are looked at; a customer does not change the script within a message."""


def script_of(text: str) -> str:
    """``Hant`` or ``Hans`` (ISO 15924), whichever has more characters of its own in ``text``; empty where neither leads.

    A character is a script's own where OpenCC's tables write it otherwise in the other one; 退款 is the same in both.
    """
    shown = {char for char in text[:_READ] if "\u3400" <= char <= "\u9fff"}
    traditional, simplified = (sum(converter.convert(char) != char for char in shown) for converter in _converters())
    return "" if traditional == simplified else "Hant" if traditional > simplified else "Hans"


@lru_cache(maxsize=1)
def _converters() -> tuple[OpenCC, OpenCC]:
    """To simplified and to traditional, loaded once a process, and only where a shop writes both."""
    return OpenCC("t2s"), OpenCC("s2t")

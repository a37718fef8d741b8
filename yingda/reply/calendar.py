"""Chinese public holidays, from the State Council's notices as ``chinese_calendar`` carries them."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import chinese_calendar


def calendar_covers(year: int) -> bool:
    """True when the holidays of ``year`` are known; for other years no day is a holiday, and a newer library is needed."""
    return bool(_years()[0] <= year <= _years()[1])


def holiday_on(day: date) -> str | None:
    """English name of the public holiday that ``day`` is part of (``Mid-autumn Festival``); None on all others.

    A weekend alone is no holiday, nor is a day that is worked in exchange.
    """
    if not calendar_covers(day.year):
        return None
    name = chinese_calendar.constants.holidays.get(day)
    return None if name is None else str(name)


@lru_cache(maxsize=1)
def _years() -> tuple[int, int]:
    known = [day.year for day in chinese_calendar.constants.holidays]
    return min(known), max(known)

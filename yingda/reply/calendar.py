"""Chinese public holidays, from the State Council's notices as ``chinese_calendar`` carries them, and by the law beyond these."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import chinese_calendar

LOOKED_AHEAD = timedelta(days=60)
"""How long before the known years end an operator is told: Spring Festival is the first holiday that only a notice dates."""

_NEW_YEAR, _LABOUR, _NATIONAL = "New Year's Day", "Labour Day", "National Day"
_FIXED = {
    (1, 1): _NEW_YEAR,
    **dict.fromkeys([(5, 1), (5, 2)], _LABOUR),
    **dict.fromkeys([(10, 1), (10, 2), (10, 3)], _NATIONAL),
}
"""Holidays with a date of their own, State Council Order 795 (2024), Article 2; days off in exchange come with each year's notice."""


def calendar_covers(year: int) -> bool:
    """True when the holidays of ``year`` are known; for other years only those with a fixed date are, and a newer library is needed."""
    return bool(_years()[0] <= year <= _years()[1])


def first_uncovered(today: date) -> int | None:
    """The year from ``today`` to LOOKED_AHEAD later whose holidays are not known; None when all are."""
    return next((day.year for day in (today, today + LOOKED_AHEAD) if not calendar_covers(day.year)), None)


def holiday_on(day: date) -> str | None:
    """English name of the public holiday that ``day`` is part of (``Mid-autumn Festival``); None on all others.

    A weekend alone is no holiday, nor is a day that is worked in exchange.
    """
    if not calendar_covers(day.year):
        return _FIXED.get((day.month, day.day))
    name = chinese_calendar.constants.holidays.get(day)
    return None if name is None else str(name)


@lru_cache(maxsize=1)
def _years() -> tuple[int, int]:
    known = [day.year for day in chinese_calendar.constants.holidays]
    return min(known), max(known)

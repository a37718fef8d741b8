"""Whether the public holidays of the coming weeks are known, told once when the service is ready."""

from __future__ import annotations

from datetime import date

from structlog.typing import FilteringBoundLogger

from yingda.reply.calendar import first_uncovered


def tell_holidays(log: FilteringBoundLogger, today: date) -> None:
    """Log that the holiday calendar ends soon: beyond it, holiday hours and greetings hold on the days that the law fixes alone."""
    year = first_uncovered(today)
    if year is not None:
        remedy = "run `pip install -U chinesecalendar` once the State Council's notice is out, then start the service again"
        log.warning("holidays_unknown", year=year, detail=f"of this year only holidays with a fixed date are known; {remedy}")

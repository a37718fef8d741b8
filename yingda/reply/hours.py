"""When a person will answer: opening hours, holidays, and the promise counted in open time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from yingda.domain.knowledge import Policy
from yingda.domain.service_hours import ServiceHours, Span, Weekday
from yingda.reply.calendar import holiday_on

_WEEKDAYS = tuple(Weekday)
_LONGEST_CLOSURE = 60
"""Days looked ahead; the longest public holiday has nine."""
_BEIJING = "Asia/Shanghai"
_DURATION = re.compile(r"(?:\d{1,4} ?[-–—~～至到] ?)?(\d{1,4}) ?(小时|个小时|钟头|分钟|分|hours?|minutes?)")


@lru_cache(maxsize=64)
def zone(name: str) -> tzinfo | None:
    """The time zone of that name, None when there is none; China needs no database, for it has kept +08:00 since 1991."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return timezone(timedelta(hours=8)) if name == _BEIJING else None


def local(policy: Policy, at: datetime) -> datetime:
    """``at`` on the shop's clock; a time without offset is taken to be on it already."""
    where = zone(policy.service_hours.timezone if policy.service_hours else _BEIJING) or zone(_BEIJING)
    return at.replace(tzinfo=where) if at.tzinfo is None else at.astimezone(where)


def duration(text: str) -> timedelta | None:
    """``2 小时``, ``30 分钟`` or the end of ``1–2 小时`` as a length of time; None for other wordings (``1 个工作日``)."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        return None
    number, unit = int(match.group(1)), match.group(2)
    return timedelta(minutes=number) if unit.startswith(("分", "minute")) else timedelta(hours=number)


def is_open(policy: Policy, at: datetime) -> bool:
    """True when people answer at ``at``; always, for a shop that names no hours."""
    if policy.service_hours is None:
        return True
    now = local(policy, at)
    return any(start <= now < end for start, end in _spans(policy.service_hours, now.date(), now.tzinfo))


def opens(policy: Policy, at: datetime) -> datetime:
    """When people answer next: ``at`` itself inside the hours, else the next opening, on the shop's clock."""
    now = local(policy, at)
    if is_open(policy, at):
        return now
    return next((start for start, _ in _ahead(policy, now) if start > now), now)


def promised(policy: Policy, at: datetime, response: timedelta) -> datetime:
    """By when a person answers who needs ``response`` of open time, on the shop's clock.

    Time counts only while the shop is open: at 23:00, with hours from 9:00 to 22:00, two hours end at 11:00 tomorrow.
    """
    now = local(policy, at)
    if policy.service_hours is None:
        return now + response
    left = response
    for start, end in _ahead(policy, now):
        begin = max(start, now)
        if begin + left <= end:
            return begin + left
        left -= max(end - begin, timedelta())
    return now + response


def _ahead(policy: Policy, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Open stretches from ``now`` on, in order, the one under way included."""
    if policy.service_hours is None:
        return
    for day in range(_LONGEST_CLOSURE):
        for start, end in _spans(policy.service_hours, now.date() + timedelta(days=day), now.tzinfo):
            if end > now:
                yield start, end


def _spans(hours: ServiceHours, day: date, where: tzinfo | None) -> Sequence[tuple[datetime, datetime]]:
    return _spans_on(day, where, _of(hours, day))


@lru_cache(maxsize=256)
def _spans_on(day: date, where: tzinfo | None, spans: tuple[Span, ...]) -> Sequence[tuple[datetime, datetime]]:
    midnight = datetime.combine(day, time(), where)
    return tuple((midnight + timedelta(minutes=start), midnight + timedelta(minutes=end)) for start, end in spans)


def _of(hours: ServiceHours, day: date) -> tuple[Span, ...]:
    if hours.holidays is not None and holiday_on(day):
        return hours.holidays
    return hours.days.get(_WEEKDAYS[day.weekday()], ())

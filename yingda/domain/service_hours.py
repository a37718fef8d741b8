"""When people of the shop can be reached, as a service team writes it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Span(NamedTuple):
    """A stretch of one day in minutes after midnight, ``end`` exclusive and at most 1440."""

    start: int
    end: int


class Weekday(StrEnum):
    """Days in the order of ``datetime.weekday()``."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


@dataclass(frozen=True, slots=True)
class ServiceHours:
    """Opening hours by weekday; a day that is not there is closed.

    ``holidays`` replaces them on Chinese public holidays: None keeps the weekday's hours, an empty tuple is closed.
    ``response`` names the policy value that says how soon a person answers (``2 小时``).
    """

    days: Mapping[Weekday, tuple[Span, ...]]
    timezone: str = "Asia/Shanghai"
    holidays: tuple[Span, ...] | None = None
    response: str = "人工响应时限"

"""``service_hours`` of policy.yaml: when people of the shop answer."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from itertools import pairwise
from types import MappingProxyType

from yingda.domain.service_hours import ServiceHours, Span, Weekday
from yingda.pack.fields import Fields
from yingda.pack.mistakes import MistakeLog, Place, Word, check_known
from yingda.pack.source import Kind
from yingda.reply.hours import zone

_SPAN = re.compile(r"([01]?\d|2[0-4])[:：]([0-5]\d)\s*[-–—~～至到]\s*([01]?\d|2[0-4])[:：]([0-5]\d)")
_CLOSED, _SAME = "closed", "same"
_OPTIONAL = ("timezone", "daily", *Weekday, "holidays", "response")


def read_service_hours(top: Fields, values: Collection[str], log: MistakeLog) -> ServiceHours | None:
    """The hours, or None where the policy has none; ``values`` are the names that ``response`` may name."""
    if not any(top.has("service_hours", kind) for kind in Kind):
        return None
    fields = top.fields("service_hours", required=(), optional=_OPTIONAL)
    if fields is None:
        return None
    words = top.scalars("service_hours")
    default = ServiceHours(MappingProxyType({}))
    response = words.get("response")
    if response:
        check_known(response, values, log, what="value", home="values in policy.yaml")
    return ServiceHours(
        days=_read_days(words, fields.place, log),
        timezone=_read_zone(words.get("timezone"), log) or default.timezone,
        holidays=_read_holidays(words.get("holidays"), log),
        response=response.text if response else default.response,
    )


def _read_days(words: Mapping[str, Word], place: Place, log: MistakeLog) -> Mapping[Weekday, tuple[Span, ...]]:
    days = {day: word for day in Weekday if (word := words.get(day) or words.get("daily"))}
    spans = {day: _read_spans(word, log) for day, word in days.items()}
    if not any(spans.values()):
        log.add(place, "service_hours is open on no day; write 'daily: 9:00-22:00' or a line for each weekday")
    return MappingProxyType({day: found for day, found in spans.items() if found})


def _read_holidays(word: Word | None, log: MistakeLog) -> tuple[Span, ...] | None:
    return None if word is None or word.text == _SAME else _read_spans(word, log)


def _read_spans(word: Word, log: MistakeLog) -> tuple[Span, ...]:
    """``9:00-12:00, 13:00-18:00`` or ``closed``."""
    if word.text.strip() == _CLOSED:
        return ()
    spans = [_span(piece.strip()) for piece in re.split("[,，;；、]", word.text)]
    found = [span for span in spans if span]
    ordered = all(left.end <= right.start for left, right in pairwise(found))
    if len(found) < len(spans) or not ordered:
        log.add(word.place, f"hours '{word.text[:40]}' are not understood; write 9:00-22:00, 9:00-12:00, 13:00-18:00 or closed")
    return tuple(found)


def _span(text: str) -> Span | None:
    match = _SPAN.fullmatch(text)
    if match is None:
        return None
    hour, minute, until, past = (int(number) for number in match.groups())
    span = Span(60 * hour + minute, 60 * until + past)
    return span if span.start < span.end <= 1440 else None


def _read_zone(word: Word | None, log: MistakeLog) -> str | None:
    if word is None or zone(word.text) is not None:
        return word.text if word else None
    log.add(word.place, f"timezone '{word.text[:40]}' is unknown; write one such as Asia/Shanghai")
    return None

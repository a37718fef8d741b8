"""What was told at an earlier time: no revision is ever taken away, so that every former state can be put together again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import accumulate
from types import MappingProxyType

from yingda.domain.records import KnowledgeSnapshot, RecordId, Version
from yingda.store.knowledge.timeline import effective, publications

BEFORE = 8
"""Earlier versions that are tried: an engine that could not be built, or a look that came late, left older knowledge in use."""

_INSTANT = timedelta(microseconds=1)

Told = Mapping[RecordId, list[Version]]


def snapshots_near(told: Told, at: datetime) -> Iterator[KnowledgeSnapshot]:
    """What may have been in use at the time ``at``, the likeliest first; ``told`` is all that was ever told.

    The first is what the store said then. An engine follows a publication, and a text that begins or ends, a moment later;
    and clocks of two machines differ.
    """
    times: dict[int, datetime] = {}
    for steps in told.values():
        for step in steps:
            number = step.knowledge_version or 0
            times[number] = max(times.get(number, step.at), step.at)
    numbers = sorted(times)
    if not numbers:
        return
    # a clock that was set back must not make a version look earlier than the one before it
    reached = list(accumulate((times[number] for number in numbers), max))
    place = max(bisect_right(reached, at) - 1, 0)
    wanted = [place, place - 1, place + 1, *range(place - 2, place - 1 - BEFORE, -1)]
    for number in (numbers[each] for each in wanted if 0 <= each < len(numbers)):
        yield from _at_version(told, number, at, since=times[number])


def _at_version(told: Told, number: int, at: datetime, *, since: datetime) -> Iterator[KnowledgeSnapshot]:
    published = {id_: publications(step for step in steps if (step.knowledge_version or 0) <= number) for id_, steps in told.items()}
    managed = frozenset(id_.kind for id_, steps in told.items() if any((step.knowledge_version or 0) <= number for step in steps))
    # a clock may be behind that of the machine which published
    for moment in (*_moments(published, at), *([since] if since > at else [])):
        found = {id_: speaking for id_, steps in published.items() if (speaking := effective(steps, moment))}
        yield KnowledgeSnapshot(number, MappingProxyType(found), None, managed)


def _moments(published: Told, at: datetime) -> tuple[datetime, ...]:
    """``at``, and the moment before the last text began or ended by then."""
    bounds = {bound for steps in published.values() for step in steps for bound in (step.effective_from, step.effective_until)}
    passed = [bound for bound in bounds if bound is not None and bound <= at]
    return (at, max(passed) - _INSTANT) if passed else (at,)

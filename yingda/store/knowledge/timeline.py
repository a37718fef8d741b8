"""Which publication of a record speaks at a time.

Publications lie over each other like sheets of paper: at any time, of those whose span holds it, the one that began last is
read, and of two that began together the newer. A text for a festival covers the standing text while it lasts, and the
standing text is there again afterwards. What is planned therefore begins at its time whatever is corrected before,
unless a correction says that it replaces what is planned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from yingda.domain.records import Status, Version

_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Outlook:
    """When a publication stops being told (None: never), what else begins in its span, and what it keeps from ever speaking."""

    until: datetime | None
    planned: tuple[Version, ...]
    covers: tuple[Version, ...]


def publications(history: Iterable[Version]) -> list[Version]:
    """The publications that may still speak, oldest first.

    Retiring a record ends all that came before. A rollback takes away the one it undoes, so that this one cannot show again
    when the text put over it ends, nor keep away what it had replaced.
    """
    steps = list(history)
    undone = {version.undoes for version in steps if version.status is Status.PUBLISHED}
    found: list[Version] = []
    for version in steps:
        if version.status is Status.RETIRED:
            found.clear()
        elif version.status is Status.PUBLISHED and version.revision not in undone:
            found = [*(other for other in found if not replaces(version, other)), version]
    return found


def replaces(version: Version, other: Version) -> bool:
    """True when ``version`` was published to speak in place of ``other``, which was planned to begin in its span."""
    return version.replace_planned and begins(other) >= begins(version) and _before_end(version, begins(other))


def effective(published: Sequence[Version], at: datetime) -> Version | None:
    """The one of ``published`` (oldest first) that speaks at the time ``at``."""
    return max((version for version in published if holds(version, at)), key=_order, default=None)


def next_change(published: Sequence[Version], at: datetime) -> datetime | None:
    """The first time after ``at`` at which another publication speaks, or none does; None when that never happens."""
    now = effective(published, at)
    bounds = {bound for version in published for bound in (version.effective_from, version.effective_until)}
    later = sorted(bound for bound in bounds if bound is not None and bound > at)
    return next((bound for bound in later if effective(published, bound) is not now), None)


def first_needed(published: Sequence[Version], at: datetime) -> int | None:
    """Revision of the oldest publication that can speak at ``at`` or later; older ones are covered for good."""
    lasting = [_order(version) for version in published if version.effective_until is None and holds(version, at)]
    cover = max(lasting, default=(_ALWAYS, 0))
    return min((version.revision for version in published if _order(version) >= cover), default=None)


def planned(published: Sequence[Version], at: datetime) -> list[Version]:
    """Those of ``published`` that begin after ``at``, in order of their beginnings."""
    return sorted((version for version in published if begins(version) > at), key=_order)


def outlook(before: Sequence[Version], version: Version) -> Outlook:
    """What a publication means beside the steps ``before`` it, oldest first."""
    earlier, now = publications(before), publications([*before, version])
    start, kept = begins(version), {other.revision for other in now}
    lost = [other for other in planned(earlier, version.at) if other.revision not in kept and other.revision != version.undoes]
    beside = [other for other in planned(now, start) if _before_end(version, begins(other))]
    return Outlook(next_change(now, start), tuple(beside), tuple(lost))


def begins(version: Version) -> datetime:
    """When a publication begins to speak."""
    return version.effective_from or _ALWAYS


def holds(version: Version, at: datetime) -> bool:
    """True when ``at`` lies in the version's span; its end is exclusive."""
    return begins(version) <= at and _before_end(version, at)


def is_over(version: Version, at: datetime) -> bool:
    """True when the version's span has ended."""
    return not _before_end(version, at)


def _before_end(version: Version, at: datetime) -> bool:
    return version.effective_until is None or at < version.effective_until


def _order(version: Version) -> tuple[datetime, int]:
    return begins(version), version.revision

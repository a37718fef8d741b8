"""Which publication of a record speaks at a time.

Publications lie over each other like sheets of paper: at any time the newest one whose span holds that time is read. A
text for a festival covers the standing text while it lasts, and the standing text is there again afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from yingda.domain.records import Status, Version


def publications(history: Iterable[Version]) -> list[Version]:
    """The publications that may still speak, oldest first.

    Retiring a record ends all that came before; a rollback takes away the one it undoes, so that this one cannot show
    again when the text put over it ends.
    """
    found: list[Version] = []
    for version in history:
        if version.status is Status.RETIRED:
            found.clear()
        elif version.status is Status.PUBLISHED:
            found = [*(other for other in found if other.revision != version.undoes), version]
    return found


def effective(published: Sequence[Version], at: datetime) -> Version | None:
    """The one of ``published`` (oldest first) that speaks at the time ``at``."""
    return next((version for version in reversed(published) if holds(version, at)), None)


def next_change(published: Sequence[Version], at: datetime) -> datetime | None:
    """The first time after ``at`` at which another publication speaks, or none does; None when that never happens."""
    now = effective(published, at)
    bounds = {bound for version in published for bound in (version.effective_from, version.effective_until)}
    later = sorted(bound for bound in bounds if bound is not None and bound > at)
    return next((bound for bound in later if effective(published, bound) is not now), None)


def first_needed(published: Sequence[Version], at: datetime) -> int | None:
    """Revision of the oldest publication that can speak at ``at`` or later; older ones are covered for good."""
    covering = (v.revision for v in reversed(published) if v.effective_until is None and holds(v, at))
    oldest = published[0].revision if published else None
    return next(covering, oldest)


def holds(version: Version, at: datetime) -> bool:
    """True when ``at`` lies in the version's span; its end is exclusive."""
    started = version.effective_from is None or version.effective_from <= at
    return started and (version.effective_until is None or at < version.effective_until)

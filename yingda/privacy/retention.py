"""Nothing is kept longer than it is needed: what is older than the term goes, every day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from threading import Event, Thread
from typing import Any

from yingda.domain.errors import YingdaError
from yingda.privacy.person import PrivacyError
from yingda.privacy.places import Place

LONGEST = 365
"""Days that anything is kept unless somebody says otherwise (PIPL, article 19: the shortest time that is needed)."""
EVERY_S = 24 * 3600.0


def retain(places: Sequence[Place], *, now: datetime, days: int = LONGEST, dry_run: bool = False) -> dict[str, Any]:
    """Delete what is older than ``days`` (1 or more) in each of ``places``; with ``dry_run`` only count it. Returns the counts by place."""
    if days < 1:
        raise PrivacyError(f"--days {days}: what came today must be kept to answer; give 1 or more")
    before = now - timedelta(days=days)
    counts = {place.name: dict(place.forget_before(before, dry_run=dry_run)) for place in places}
    return {"at": now.isoformat(timespec="seconds"), "before": before.isoformat(timespec="seconds"), "dry_run": dry_run, "deleted": counts}


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last run: when it began, its counts, and what went wrong, if anything did."""

    at: datetime
    report: dict[str, Any] | None = None
    error: str | None = None


class RetentionJob:
    """Runs ``retain`` at the start and then every day, on a thread of its own; any number of processes may run it at once."""

    def __init__(
        self,
        places: Sequence[Place],
        *,
        clock: Callable[[], datetime],
        days: int = LONGEST,
        tell: Callable[[LastRun], None] = lambda _: None,
        every_s: float = EVERY_S,
    ) -> None:
        self._places, self._clock, self._days, self._tell = tuple(places), clock, days, tell
        self._stop = Event()
        self._wait: Callable[[], bool] = partial(self._stop.wait, every_s)
        self._thread = Thread(target=self._follow, name="retention", daemon=True)
        self.last: LastRun | None = None

    def start(self, *, wait: Callable[[], bool] | None = None) -> None:
        """Begin; ``wait`` passes the time between two runs and says True when it is time to end."""
        self._wait = wait or self._wait
        self._thread.start()

    def close(self) -> None:
        """End, when a run that has begun has ended."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def run(self) -> None:
        """Run once. Never raises: what fails now is tried again the next day."""
        now = self._clock()
        try:
            self.last = LastRun(now, retain(self._places, now=now, days=self._days))
        except Exception as error:
            # messages of foreign errors may quote texts; ours never do
            self.last = LastRun(now, error=str(error) if isinstance(error, YingdaError) else type(error).__name__)
        self._tell(self.last)

    def _follow(self) -> None:
        self.run()
        while not self._wait():
            self.run()

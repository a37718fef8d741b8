"""Looks at the guardrails of the roll-out from time to time, on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Event, Thread

from yingda.domain.errors import YingdaError
from yingda.domain.rollout import PlanRevision
from yingda.store.rollouts import Rollouts

EVERY_S = 60.0
"""Seconds between two looks: customers are counted an hour after they fell silent, so that more would see nothing new."""


@dataclass(frozen=True, slots=True)
class Look:
    """The last look: when it began, and what went wrong, if anything did."""

    at: datetime
    error: str | None = None


class RolloutWatch:
    """Counts customers and takes a harmful release back; any number of processes may watch one store."""

    def __init__(
        self, rollouts: Rollouts, clock: Callable[[], datetime], taken_back: Callable[[PlanRevision], None] = lambda _revision: None
    ) -> None:
        """``taken_back`` is told of each revision by which this process took a release back."""
        self._rollouts, self._clock, self._taken_back = rollouts, clock, taken_back
        self._stop = Event()
        self._wait: Callable[[], bool] = partial(self._stop.wait, EVERY_S)
        self._thread = Thread(target=self._follow, name="rollout", daemon=True)
        self.last: Look | None = None

    def start(self, *, wait: Callable[[], bool] | None = None) -> None:
        """Begin; ``wait`` passes the time between two looks and says True when it is time to end."""
        self._wait = wait or self._wait
        self._thread.start()

    def close(self) -> None:
        """End, when a look that runs has ended."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Look once. Never raises: a store that fails now is asked again at the next look."""
        now = self._clock()
        try:
            revision = self._rollouts.watch(now)
            if revision is not None:
                self._taken_back(revision)
        except Exception as error:
            # messages of foreign errors may quote texts; ours never do
            self.last = Look(
                now, str(error) if isinstance(error, YingdaError) else f"{type(error).__name__} while the guardrails were read"
            )
        else:
            self.last = Look(now)

    def _follow(self) -> None:
        while not self._wait():
            self.look()

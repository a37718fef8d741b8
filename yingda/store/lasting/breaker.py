"""A circuit breaker: what fails is not asked again until it answers, so that a message waits for a sick database once at most.

After M. Nygard, Release It! (2nd edition, 2018), chapter 5.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Protocol, TypeVar

from yingda.domain.errors import StoreError
from yingda.store.failures import is_away

T = TypeVar("T")


class Within(Protocol):
    """Runs a call, for as long as the caller has patience."""

    def __call__(self, work: Callable[[], T], /) -> T:
        """What ``work`` returns; raises StoreError ``store_slow`` when it takes too long."""


def at_once(work: Callable[[], T]) -> T:
    """Runs ``work`` where it stands: for a database whose driver gives up by itself."""
    return work()


class Hands:
    """Runs calls in threads of its own and leaves those that hang; a driver that waits for a server cannot be told to stop."""

    def __init__(self, patience_s: float, *, threads: int = 8) -> None:
        self._patience_s, self._threads, self._idle = patience_s, threads, 0
        self._work: SimpleQueue[tuple[Future[object], Callable[[], object]]] = SimpleQueue()
        self._lock = Lock()

    def __call__(self, work: Callable[[], T], /) -> T:
        """See Within."""
        told: Future[T] = Future()
        with self._lock:
            if self._idle == 0 and self._threads > 0:
                self._threads -= 1
                Thread(target=self._run, name="store-reader", daemon=True).start()
            else:
                self._idle -= 1
        self._work.put((told, work))  # type: ignore[arg-type]
        try:
            return told.result(self._patience_s)
        except TimeoutError:
            told.cancel()
            raise StoreError("the store takes too long to answer; look at its load and its locks", code="store_slow") from None

    def _run(self) -> None:
        while True:
            told, work = self._work.get()
            if told.set_running_or_notify_cancel():
                try:
                    told.set_result(work())
                except BaseException as error:
                    told.set_exception(error)
            with self._lock:
                self._idle += 1


class Breaker:
    """Whether the store answers; ``news`` is set when it stops to. Threads may share it."""

    def __init__(self, clock: Callable[[], datetime], within: Within = at_once) -> None:
        self._clock, self._within = clock, within
        self._lock = Lock()
        self._away: tuple[datetime, str] | None = None
        self.news = Event()

    @property
    def away(self) -> tuple[datetime, str] | None:
        """Since when the store is away, and the code of what is wrong; None while it answers."""
        return self._away

    def ask(self, work: Callable[[], T]) -> T:
        """What ``work`` finds in the store, within the patience there is; raises as ``call``."""
        return self.call(lambda: self.within(work))

    def within(self, work: Callable[[], T]) -> T:
        """What ``work`` finds in the store, whether or not it is thought to be away; raises StoreError ``store_slow`` too."""
        return self._within(work)

    def call(self, work: Callable[[], T]) -> T:
        """What ``work`` does with the store; raises StoreError at once while the store is away, else what ``work`` raises."""
        if self._away is not None:
            raise StoreError(f"the store is away ({self._away[1]}); try again", code="store_away")
        try:
            return work()
        except StoreError as error:
            if is_away(error):
                self.trip(error.code)
            raise

    def trip(self, code: str) -> None:
        """The store was found away."""
        with self._lock:
            self._away = (self._away[0] if self._away else self._clock(), code)
        self.news.set()

    def close(self) -> None:
        """The store was found to answer."""
        with self._lock:
            self._away = None

"""Threads that take batches off the queue and decide them, one core each, and tell who waits on the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any, TypeVar, cast

from serving.calls import Ticket
from serving.errors import ProblemError
from serving.queue import Batch, Bounds, Chore, Job, Portion, Queue
from serving.trace import current

Result = TypeVar("Result")

_TICK_S = 0.01
"""Timers of an event loop go off up to a tick early; one that did would find that nobody waits too long yet."""

_THREADS = 4
"""Threads a core: one decides, the others wait for the disk."""

Release = Callable[[], None]
"""Gives the core back; a second call does nothing."""

Decide = Callable[[Sequence[Sequence[Any]], Release], Sequence[Sequence[Any] | BaseException]]
"""What came of each portion of a batch, in order: a result for each of its calls, or why there is none. It gives its core back
once the engine has answered; it may raise what holds for all."""

Around = Callable[[Batch, float], AbstractContextManager[None]]
"""Around the work on a batch, which begins at that time on the clock of the queue."""


def _unwatched(_batch: Batch, _now: float) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(slots=True, eq=False)
class _Waiter(Job):
    """A job whose caller waits on an event loop."""

    answered: asyncio.Future[list[Any]] = field(kw_only=True)
    results: list[Any] = field(default_factory=list)
    missing: int = 0


class Lane:
    """``cores`` batches are decided at a time; each may be followed by another while it waits for the disk.

    A thread takes a batch together with a core and gives the core back when the engine has answered. There are several
    threads a core: while one batch is being written, the next are decided, and what they decide is written together once the
    disk is free. Reads that the decision needs are done on the core; for a store that is far away, allow one core more than
    there are.
    """

    def __init__(
        self,
        decide: Mapping[type, Decide],
        *,
        cores: int,
        bounds: Bounds | None = None,
        clock: Callable[[], float] = time.monotonic,
        around: Around = _unwatched,
    ) -> None:
        """``decide`` says for each type of call what to do with it; Chores are run as they are. ``around`` watches each batch."""
        self._decide, self._clock, self._around = decide, clock, around
        self._queue = Queue(bounds or Bounds(), clock)
        self._changed = Condition()
        self._free, self._closed = cores, False
        self._threads = [Thread(target=self._work, name=f"engine-{number}", daemon=True) for number in range(_THREADS * cores)]
        self._started = False
        self._waking: asyncio.AbstractEventLoop | None = None

    @property
    def waiting(self) -> int:
        """Messages admitted whose work has not begun."""
        return self._queue.waiting

    @property
    def age(self) -> float:
        """Seconds that the oldest of them waits."""
        with self._changed:
            return self._queue.age()

    def refusal(self) -> ProblemError | None:
        """The 503 for whoever comes now; None while the queue takes somebody."""
        if not self._queue.waiting:
            return None
        with self._changed:
            return self._queue.refusal()

    async def run(self, calls: Sequence[Any], ticket: Ticket | None = None) -> list[Any]:
        """A result for each of ``calls``, all of one type, in order; raises ProblemError 503 or 504, and what deciding raised."""
        if not calls:
            return []
        loop = asyncio.get_running_loop()
        waiter = _Waiter(
            calls,
            ticket or Ticket(),
            trace=current.get(),
            answered=loop.create_future(),
            results=[None] * len(calls),
            missing=len(calls),
        )
        with self._changed:
            if self._closed:
                raise _closing()
            self._queue.join(waiter)
            patience = self._queue.patience(waiter)
            self._start()
            is_first, self._waking = self._waking is not loop, loop
        if is_first:  # one thread is woken for all whose requests this turn of the loop has read
            loop.call_soon(self._wake_for_turn)
        # On the loop as well, because threads that hang in a store give nobody up.
        timer = loop.call_later(max(0.0, patience - self._clock()) + _TICK_S, self._give_up, waiter)
        try:
            return await waiter.answered
        finally:
            timer.cancel()
            self._leave(waiter)

    async def run_chore(self, work: Callable[[], Result]) -> Result:
        """What ``work`` returns, done on a core when its turn comes; raises as ``run`` does."""
        return cast(Result, (await self.run([Chore(work)]))[0])

    def close(self) -> None:
        """Let what is being decided finish, and tell those who wait that nothing more is."""
        with self._changed:
            self._closed = True
            for job in self._queue.drain():
                _tell([(cast(_Waiter, job), None, _closing())])
            self._changed.notify_all()
        for thread in self._threads if self._started else ():
            thread.join()

    def _start(self) -> None:
        # With the first call, hence after any fork.
        if not self._started:
            self._started = True
            for thread in self._threads:
                thread.start()

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            release = _Core(self._give_back)
            with self._around(batch, self._clock()):
                found = self._found(batch, release)
            release()
            _tell([(cast(_Waiter, portion.job), portion, each) for portion, each in zip(batch.portions, found, strict=True)])
            with self._changed:
                for portion, each in zip(batch.portions, found, strict=True):
                    if isinstance(each, BaseException):
                        self._queue.leave(portion.job)
                self._queue.finish(batch)
                self._wake()  # a message of the same conversation may go on

    def _next(self) -> Batch | None:
        """The next batch and a core for it; None when the lane is closed."""
        with self._changed:
            while not self._closed:
                if self._free:
                    taken = self._queue.take()
                    _tell([(cast(_Waiter, job), None, problem) for job, problem in taken.given_up])
                    if taken.batch is not None:
                        self._free -= 1
                        self._wake()
                        return taken.batch
                self._changed.wait()
        return None

    def _wake_for_turn(self) -> None:
        with self._changed:
            self._waking = None
            self._wake()

    def _give_back(self) -> None:
        with self._changed:
            self._free += 1
            self._wake()

    def _wake(self) -> None:
        # Only where there is a core for it and work: a thread that wakes in vain costs two changes of threads on the core that serves.
        if self._free and self._queue.waiting:
            self._changed.notify()

    def _found(self, batch: Batch, release: Release) -> Sequence[Sequence[Any] | BaseException]:
        portions = [portion.calls for portion in batch.portions]
        try:
            kind = type(portions[0][0])
            return _run_chores(portions) if kind is Chore else self._decide[kind](portions, release)
        except BaseException as error:  # whatever it is, those who wait are to know
            return [error] * len(portions)

    def _give_up(self, waiter: _Waiter) -> None:
        with self._changed:
            problem = self._queue.give_up(waiter)
        if problem is not None and not waiter.answered.done():
            waiter.answered.set_exception(problem)

    def _leave(self, waiter: _Waiter) -> None:
        if not waiter.ended:
            with self._changed:
                self._queue.leave(waiter)


class _Core:
    """A core that is given back once."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back

    def __call__(self) -> None:
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


def _run_chores(portions: Sequence[Sequence[Chore]]) -> list[list[Any]]:
    return [[chore.work() for chore in portion] for portion in portions]


_News = tuple[_Waiter, Portion | None, Sequence[Any] | BaseException]


def _tell(news: Sequence[_News]) -> None:
    """Tell those who wait, each on its loop: one call a loop, because waking one is dear."""
    loops: dict[asyncio.AbstractEventLoop, list[_News]] = {}
    for each in news:
        loops.setdefault(each[0].answered.get_loop(), []).append(each)
    for loop, ours in loops.items():
        with suppress(RuntimeError):  # a loop that has ended has nobody who waits
            loop.call_soon_threadsafe(_settle, ours)


def _settle(news: Sequence[_News]) -> None:
    for waiter, portion, found in news:
        if waiter.answered.done():
            continue
        if isinstance(found, BaseException):
            waiter.answered.set_exception(found)
        elif portion is not None:
            waiter.results[portion.start : portion.stop] = found
            waiter.missing -= len(portion)
            if not waiter.missing:
                waiter.answered.set_result(waiter.results)


def _closing() -> ProblemError:
    return ProblemError(503, "shutting_down", "the server is stopping; ask another, or again later", headers={"Retry-After": "1"})

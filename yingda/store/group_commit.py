"""Writes of many threads in one transaction: a commit costs one wait for the disk, however many turns it holds.

One thread writes. It takes what is queued at the moment it is free, so nobody waits for company: under little load a write
goes alone, and the more come while one commit waits for the disk, the more share the next (group commit: DeWitt et al.,
"Implementation techniques for main memory database systems", SIGMOD 1984, section 5.2).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Condition, Thread

from yingda.domain.errors import StoreError
from yingda.store.memory import Entry, Outcome

MOST = 256
"""Entries of one transaction."""

WriteAll = Callable[[Sequence[Entry]], list[Outcome]]


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    entries: Sequence[Entry]
    outcomes: Future[list[Outcome]] = field(default_factory=Future)


class GroupCommit:
    """Hands entries to ``write_all`` of a memory, in the order they came; threads may share it.

    At most ``room`` calls wait; ``patience_s`` seconds each, unless told otherwise.
    """

    def __init__(self, write_all: WriteAll, *, patience_s: float, room: int = 1024) -> None:
        self._write_all, self._patience_s, self._room = write_all, patience_s, room
        self._jobs: deque[_Job] = deque()
        self._news = Condition()
        self._closed = False
        self._thread: Thread | None = None

    def write_all(self, entries: Sequence[Entry], *, patience_s: float | None = None) -> list[Outcome]:
        """What became of each entry, once that is on the disk.

        Raises StoreError ``store_slow`` when it takes too long: the entries were then written or not, which their ids tell
        later; ``store_busy`` when too many wait; and whatever the memory raises, and then nothing was written.
        """
        outcomes = self.submit(entries)
        try:
            return outcomes.result(patience_s or self._patience_s)
        except TimeoutError:
            outcomes.cancel()  # what has not begun is left out
            raise StoreError("the store takes too long to write; look at its disk and its locks", code="store_slow") from None

    def submit(self, entries: Sequence[Entry]) -> Future[list[Outcome]]:
        """Queue the entries; what will have become of them. Raises StoreError ``store_busy`` when too many wait."""
        job = _Job(entries)
        with self._news:
            if self._closed or len(self._jobs) >= self._room:
                raise StoreError("too many writes wait for the store; try again", code="store_busy")
            if self._thread is None:
                self._thread = Thread(target=self._run, name="group-commit", daemon=True)
                self._thread.start()
            self._jobs.append(job)
            self._news.notify()
        return job.outcomes

    def close(self) -> None:
        """Write what is queued, and take no more."""
        with self._news:
            self._closed = True
            self._news.notify()
            thread = self._thread
        if thread is not None:
            thread.join(self._patience_s)  # one that hangs ends with the process

    def _run(self) -> None:
        while jobs := self._take():
            self._commit([job for job in jobs if job.outcomes.set_running_or_notify_cancel()])

    def _take(self) -> list[_Job]:
        """What is queued now, at least one job; none once closed."""
        with self._news:
            while not self._jobs and not self._closed:
                self._news.wait()
            jobs: list[_Job] = []
            size = 0
            while self._jobs and (not jobs or size + len(self._jobs[0].entries) <= MOST):
                jobs.append(self._jobs.popleft())
                size += len(jobs[-1].entries)
            return jobs

    def _commit(self, jobs: Sequence[_Job]) -> None:
        if not jobs:
            return
        try:
            outcomes = iter(self._write_all([entry for job in jobs for entry in job.entries]))
        except BaseException as error:
            for job in jobs:
                job.outcomes.set_exception(error)
            return
        for job in jobs:
            job.outcomes.set_result([next(outcomes) for _ in job.entries])

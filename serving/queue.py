"""The queue in front of the engine: who is let in, who is next, and who has waited too long.

No threads, no I/O, and the clock comes from outside; ``serving.lane`` runs it. The queue is bounded by how long a message
waits rather than by a number alone: a bound in time keeps what is served useful, whatever the machine can do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil
from typing import Any

from serving.calls import AnswerCall, Ticket
from serving.drain import DrainRate
from serving.errors import ProblemError
from serving.trace import Trace
from yingda.dialogue import scope_of

PATIENCE = 2.0
"""A message that was let in is given up after this many times the wait that is refused at the door: estimates err."""
_MOST_RETRY_S = 60
_MOST_REFUSALS = 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most messages that wait, longest wait that is promised (seconds), and messages of the largest batch."""

    messages: int = 512
    wait_s: float = 1.0
    batch: int = 8


@dataclass(frozen=True, slots=True, eq=False)
class Chore:
    """Other work for the engine, such as a step of a replay: it waits its turn among the messages and is a batch of its own."""

    work: Callable[[], Any]


@dataclass(slots=True, eq=False)
class Job:
    """The calls of one request, all of one type; ``begun`` of them were given out, and some are being decided while it is ``busy``.

    ``ended`` once the caller has its answer or left; ``trace`` is that of the request, for the few that are traced.
    """

    calls: Sequence[Any]
    ticket: Ticket = field(default_factory=Ticket)
    arrived: float = 0.0
    begun: int = 0
    busy: bool = False
    ended: bool = False
    trace: Trace | None = None

    @property
    def left(self) -> int:
        """Calls that were not given out."""
        return len(self.calls) - self.begun


@dataclass(frozen=True, slots=True, eq=False)
class Portion:
    """Calls ``start`` to ``stop`` of a job."""

    job: Job
    start: int
    stop: int

    @property
    def calls(self) -> Sequence[Any]:
        """The calls."""
        return self.job.calls[self.start : self.stop]

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What is decided together: portions of one type of call, no conversation twice."""

    portions: Sequence[Portion]
    conversations: frozenset[str]

    def __len__(self) -> int:
        return sum(len(portion) for portion in self.portions)


@dataclass(frozen=True, slots=True)
class Taken:
    """What is next, if anything is; and whom to tell that it took too long."""

    batch: Batch | None
    given_up: Sequence[tuple[Job, ProblemError]]


class Queue:
    """First in, first out, for each type of call. Not thread-safe: its owner has a lock.

    Two batches never hold the same conversation, nor one batch twice: a message whose conversation is being decided is
    passed over until that is done, with everything of its request behind it, so that a conversation is decided in the order
    in which its messages came. Of a request that is longer than a batch one part is decided at a time: its results come in
    order, and between its parts others have their turn.
    """

    def __init__(self, bounds: Bounds, clock: Callable[[], float]) -> None:
        self._bounds, self._clock = bounds, clock
        self._jobs: deque[Job] = deque()
        self._in_progress: set[str] = set()
        self._rate = DrainRate()
        self.waiting = 0
        """Messages that were let in and not given out."""

    def age(self) -> float:
        """Seconds that the oldest request waits of which nothing was given out; 0 when none waits."""
        oldest = next((job for job in self._jobs if not job.begun), None)
        return 0.0 if oldest is None else max(0.0, self._clock() - oldest.arrived)

    def expected_wait(self) -> float:
        """Seconds that a message would wait which came now."""
        return self.waiting * self._rate.seconds_a_message

    def join(self, job: Job) -> None:
        """Let ``job`` in; raise ProblemError 503 when it would wait too long, 504 when its time has passed already.

        A request is let in for what waits before it, whatever its own length: one longer than the queue would otherwise
        never be served.
        """
        job.arrived = self._clock()
        if is_late(job.ticket, job.arrived):
            raise too_late()
        if self.waiting:
            self._check(job)
        self.waiting += len(job.calls)
        self._jobs.append(job)

    def refusal(self) -> ProblemError | None:
        """The 503 for everybody who would come now, with however little, to be told and not to be raised; None while there is hope."""
        hopeless = self.waiting and self._is_hopeless(1, self._bounds.wait_s)
        return _refusal(self.waiting, self._come_again_s()) if hopeless else None

    def leave(self, job: Job) -> None:
        """Nothing more of ``job`` is given out; it may have left before."""
        if not job.ended:
            job.ended = True
            if job.left:
                self._jobs.remove(job)
                self.waiting -= job.left

    def give_up(self, job: Job) -> ProblemError | None:
        """Why ``job`` is given up now, which then has left; None when its time has not come, or it began."""
        now = self._clock()
        if job.ended or job.begun or not self._is_overdue(job, now):
            return None
        self.leave(job)
        return too_late() if is_late(job.ticket, now) else self._overloaded()

    def patience(self, job: Job) -> float:
        """When ``job`` is given up, on the queue's clock."""
        longest = job.arrived + PATIENCE * self._bounds.wait_s
        return longest if job.ticket.expires_at is None else min(longest, job.ticket.expires_at)

    def take(self) -> Taken:
        """The next batch, of what waits now: nobody waits for more to come. Give it back with ``finish``."""
        given_up: list[tuple[Job, ProblemError]] = []
        portions: list[Portion] = []
        passed: list[Job] = []
        room, held, conversations = self._bounds.batch, set(self._in_progress), set[str]()
        while self._jobs and room:
            if portions and type(self._jobs[0].calls[0]) is not type(portions[0].calls[0]):
                passed.append(self._jobs.popleft())
                continue
            job = self._jobs[0]
            if (problem := self._hopeless(job)) is not None:
                given_up.append((job, problem))
                continue
            self._jobs.popleft()
            portion = _portion(job, room, held, conversations)
            if len(portion):
                job.busy = True
                portions.append(portion)
                room = 0 if isinstance(portion.calls[0], Chore) else room - len(portion)
            if job.left:
                passed.append(job)
        self._jobs.extendleft(reversed(passed))
        if not portions:
            return Taken(None, given_up)
        return Taken(self._began(Batch(portions, frozenset(conversations))), given_up)

    def finish(self, batch: Batch) -> None:
        """``batch`` is decided, well or not: its conversations may go on."""
        self._in_progress -= batch.conversations
        for portion in batch.portions:
            portion.job.busy = False
        is_chore = isinstance(batch.portions[0].calls[0], Chore)
        self._rate.ended(self._clock(), 0 if is_chore else len(batch))

    def drain(self) -> Iterator[Job]:
        """Every job that waits; each has left."""
        while self._jobs:
            job = self._jobs[0]
            self.leave(job)
            yield job

    def _began(self, batch: Batch) -> Batch:
        self._in_progress |= batch.conversations
        self.waiting -= len(batch)
        self._rate.began(self._clock())
        return batch

    def _hopeless(self, job: Job) -> ProblemError | None:
        """Why nothing more of ``job`` is decided. What began is finished, but for a caller who left or whose time has passed."""
        now = self._clock()
        if job.ticket.gone:
            problem = client_gone()
        elif is_late(job.ticket, now):
            problem = too_late()
        elif not job.begun and self._is_overdue(job, now):
            problem = self._overloaded()
        else:
            return None
        self.leave(job)
        return problem

    def _is_overdue(self, job: Job, now: float) -> bool:
        return now >= self.patience(job)

    def _check(self, job: Job) -> None:
        """Raise when those who wait already leave no hope that ``job`` is begun in time."""
        limit, expires_at = self._bounds.wait_s, job.ticket.expires_at
        if expires_at is not None:
            limit = min(limit, expires_at - job.arrived)
        if self._is_hopeless(len(job.calls), limit):
            raise self._overloaded()

    def _is_hopeless(self, messages: int, limit_s: float) -> bool:
        is_full = self.waiting + messages > self._bounds.messages
        return is_full or max(self.expected_wait(), self.age()) > limit_s

    def _overloaded(self) -> ProblemError:
        return _overloaded(self.waiting, self._come_again_s())

    def _come_again_s(self) -> int:
        # until those who wait now are served, at the rate at which they are
        return min(_MOST_RETRY_S, max(1, ceil(self.expected_wait())))


def _overloaded(waiting: int, after_s: int) -> ProblemError:
    detail = f"{waiting} messages wait already; try again later"
    return ProblemError(503, "overloaded", detail, headers={"Retry-After": str(after_s)})


_refusal = lru_cache(maxsize=_MOST_REFUSALS)(_overloaded)
"""The same for all who hear the same. It must not be raised: an error that was raised holds on to where it was."""


def is_late(ticket: Ticket, now: float) -> bool:
    """True when the caller's time has passed."""
    return ticket.expires_at is not None and now >= ticket.expires_at


def too_late() -> ProblemError:
    """The 504 for a deadline that passed: what HTTP makes of gRPC's DEADLINE_EXCEEDED (google.rpc.Code), and what proxies send."""
    return ProblemError(504, "deadline_exceeded", "the time given by x-deadline-ms passed before the engine began; nothing was decided")


def client_gone() -> ProblemError:
    """The problem that nobody reads: 499, as nginx writes it into its log."""
    return ProblemError(499, "client_gone", "the client left before the engine began")


def _portion(job: Job, room: int, held: set[str], conversations: set[str]) -> Portion:
    """As much of ``job`` as may be begun, which counts as begun; conversations that must wait are added to ``held``."""
    start = job.begun
    if job.busy:
        held.update(filter(None, map(_conversation, job.calls[start:])))
    while not job.busy and job.left and job.begun - start < room:
        conversation = _conversation(job.calls[job.begun])
        if conversation is not None:
            if conversation in held:
                # what stands behind in this request is not to overtake it, nor what others say there later
                held.update(filter(None, map(_conversation, job.calls[job.begun :])))
                break
            held.add(conversation)
            conversations.add(conversation)
        job.begun += 1
    return Portion(job, start, job.begun)


def _conversation(call: Any) -> str | None:
    return scope_of(call.message) if isinstance(call, AnswerCall) else None

"""What the queue promises under load, on a clock that the test moves."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from serving.calls import ClassifyCall, Ticket
from serving.drain import DrainRate
from serving.errors import ProblemError
from serving.queue import PATIENCE, Batch, Bounds, Chore, Job, Queue
from yingda.domain.message import Message

WORK_S = 0.004
"""Seconds that the engine of the simulation takes for a message."""
BOUNDS = Bounds(messages=100_000, wait_s=0.5, batch=8)


@dataclass
class Simulation:
    """A queue, ``cores`` engines that take WORK_S a message, and requests of one message at given times."""

    cores: int = 1
    now: float = 0.0
    refused: list[float] = field(default_factory=list)
    given_up: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queue = Queue(BOUNDS, lambda: self.now)
        self._running: list[tuple[float, int, Batch]] = []

    def run(self, arrivals: Iterator[float], *, work_s: float = WORK_S) -> None:
        for at in arrivals:
            self._until(at, work_s)
            self.now = at
            try:
                self.queue.join(Job([ClassifyCall(Message("x"))]))
            except ProblemError:
                self.refused.append(at)
            self._take(work_s)

    def _until(self, at: float, work_s: float) -> None:
        while self._running and self._running[0][0] <= at:
            self.now, _, batch = heapq.heappop(self._running)
            self.queue.finish(batch)
            self.served += [self.now] * len(batch)
            self._take(work_s)

    def _take(self, work_s: float) -> None:
        while len(self._running) < self.cores:
            taken = self.queue.take()
            self.given_up += [self.now for _ in taken.given_up]
            if taken.batch is None:
                return
            self.waits += [self.now - portion.job.arrived for portion in taken.batch.portions]
            heapq.heappush(self._running, (self.now + len(taken.batch) * work_s, id(taken.batch), taken.batch))


def at_rate(messages_a_second: float, start: float, end: float) -> Iterator[float]:
    count = int((end - start) * messages_a_second)
    return (start + number / messages_a_second for number in range(count))


@pytest.mark.parametrize("cores", [1, 2, 4])
@pytest.mark.parametrize(("times", "least"), [(2, 0.97), (5, 0.95), (10, 0.90)])
def test_overload_costs_no_goodput_and_ends_with_the_load(cores: int, times: int, least: float) -> None:
    simulation, peak = Simulation(cores), cores / WORK_S

    simulation.run(at_rate(times * peak, 0.0, 10.0))
    during = [at for at in simulation.served if at <= 10.0]
    simulation.run(at_rate(peak / 2, 10.0, 15.0))

    assert len(during) >= least * peak * 10
    assert max(simulation.waits) <= PATIENCE * BOUNDS.wait_s
    assert sum(simulation.waits) / len(simulation.waits) <= 1.1 * BOUNDS.wait_s
    assert len(simulation.given_up) <= 0.01 * len(during), "who will not be served in time is told at the door"
    assert max(simulation.refused) <= 12.0, "two seconds later nobody is refused"


def test_an_engine_that_becomes_slower_is_noticed() -> None:
    simulation = Simulation()
    simulation.run(at_rate(0.9 / WORK_S, 0.0, 5.0))
    assert not simulation.refused, "below its capacity nobody is refused"

    simulation.run(at_rate(0.9 / WORK_S, 5.0, 15.0), work_s=5 * WORK_S)

    settled = [wait for wait, at in zip(simulation.waits, simulation.served, strict=False) if at > 10.0]
    assert max(settled) <= 1.25 * BOUNDS.wait_s


def test_a_night_without_work_teaches_nothing() -> None:
    rate = DrainRate()
    for start in (0.0, 100_000.0):
        for number in range(2000):
            rate.began(start + number * 0.01)
            rate.ended(start + number * 0.01 + 0.002, 1)
        assert rate.seconds_a_message == pytest.approx(0.002, rel=0.05)


def test_work_that_overlaps_is_counted_once() -> None:
    rate = DrainRate()
    rate.began(0.0)
    for number in range(1, 2000):  # one is written while the next is decided
        rate.began(number * 0.004)
        rate.ended(number * 0.004 + 0.002, 1)
    assert rate.seconds_a_message == pytest.approx(0.004, rel=0.05)


def queue_behind_one(clock: list[float], bounds: Bounds = BOUNDS) -> tuple[Queue, Batch]:
    """A queue in which one batch is being decided and one message waits."""
    queue = Queue(bounds, lambda: clock[0])
    queue.join(Job([ClassifyCall(Message("x"))]))
    batch = queue.take().batch
    assert batch is not None
    queue.join(Job([ClassifyCall(Message("x"))]))
    return queue, batch


def test_who_would_wait_too_long_is_told_when_to_come_back() -> None:
    clock = [0.0]
    queue, batch = queue_behind_one(clock, Bounds(wait_s=10.0, messages=10_000))
    clock[0] = 3.0
    queue.finish(batch)
    for _ in range(300):
        queue.join(Job([ClassifyCall(Message("x"))])) if queue.expected_wait() <= 10.0 else None

    with pytest.raises(ProblemError) as refused:
        queue.join(Job([ClassifyCall(Message("x"))]))

    assert (refused.value.status_code, refused.value.code) == (503, "overloaded")
    assert 10 < int((refused.value.headers or {})["Retry-After"]) <= 60


def test_who_has_less_time_than_the_wait_is_refused_at_once() -> None:
    clock = [0.0]
    queue, _ = queue_behind_one(clock)
    clock[0] = 0.2
    with pytest.raises(ProblemError) as refused:
        queue.join(Job([ClassifyCall(Message("x"))], Ticket(expires_at=0.3)))
    assert refused.value.status_code == 503
    queue.join(Job([ClassifyCall(Message("x"))], Ticket(expires_at=0.5)))


def test_a_deadline_that_has_passed_is_no_work_at_all() -> None:
    queue = Queue(BOUNDS, lambda: 1.0)
    with pytest.raises(ProblemError) as refused:
        queue.join(Job([ClassifyCall(Message("x"))], Ticket(expires_at=1.0)))
    assert (refused.value.status_code, refused.value.code) == (504, "deadline_exceeded")


def test_other_work_is_a_batch_of_its_own_and_says_nothing_about_messages() -> None:
    clock = [0.0]
    queue = Queue(BOUNDS, lambda: clock[0])
    for _ in range(3):
        queue.join(Job([Chore(lambda: None)]))
    before = queue.expected_wait() / 3

    for _ in range(2):
        batch = queue.take().batch
        assert batch is not None and len(batch) == 1
        clock[0] += 0.1  # twenty times as long as a message
        queue.finish(batch)

    assert queue.expected_wait() == before


def test_between_the_parts_of_a_long_request_others_have_their_turn() -> None:
    queue = Queue(BOUNDS, lambda: 0.0)
    queue.join(Job([ClassifyCall(Message("long"))] * 20))
    queue.join(Job([ClassifyCall(Message("short"))]))

    sizes = []
    batches = [batch for batch in (queue.take().batch, queue.take().batch) if batch is not None]
    while batches:
        sizes.append([(portion.start, portion.stop) for portion in batches[0].portions])
        queue.finish(batches.pop(0))
        batches += [batch for batch in [queue.take().batch] if batch is not None]

    assert sizes == [[(0, 8)], [(0, 1)], [(8, 16)], [(16, 20)]]

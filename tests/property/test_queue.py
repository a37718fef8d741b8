"""The queue against every order of events: nothing is lost, order is kept, nothing late is begun, bounds hold."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from serving.calls import AnswerCall, ClassifyCall, Ticket
from serving.errors import ProblemError
from serving.queue import PATIENCE, Batch, Bounds, Job, Queue
from yingda.domain.message import Message

BOUNDS = Bounds(messages=12, wait_s=1.0, batch=3)
CONVERSATIONS = st.sampled_from([None, "a", "b", "c"])
MOST_TOGETHER = 2


def answering(conversations: list[str | None]) -> list[AnswerCall]:
    return [AnswerCall(Message("x", conversation_id=each), "") for each in conversations]


class QueueMachine(RuleBasedStateMachine):
    """Requests come, leave and are taken, and time passes; beside the queue, a plain list of what became of each request."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.queue = Queue(BOUNDS, lambda: self.now)
        self.jobs: list[Job] = []
        self.given: dict[Job, list[int]] = {}
        self.left: set[Job] = set()
        self.running: list[Batch] = []

    def join(self, job: Job) -> None:
        before, wait = self.queue.waiting, max(self.queue.expected_wait(), self.queue.age())
        try:
            self.queue.join(job)
        except ProblemError as error:
            expires_at = job.ticket.expires_at
            limit = BOUNDS.wait_s if expires_at is None else min(BOUNDS.wait_s, expires_at - self.now)
            is_full = before + len(job.calls) > BOUNDS.messages
            late = expires_at is not None and self.now >= expires_at
            assert error.status_code == (504 if late else 503)
            assert late or (before and (is_full or wait > limit)), "refused without a reason"
            assert late or int((error.headers or {})["Retry-After"]) >= 1
            assert self.queue.waiting == before
        else:
            assert not before or (before + len(job.calls) <= BOUNDS.messages and wait <= BOUNDS.wait_s)
            self.jobs.append(job)
            self.given[job] = []

    @rule(conversations=st.lists(CONVERSATIONS, min_size=1, max_size=5), allowed=st.none() | st.floats(0, 3))
    def ask_for_answers(self, conversations: list[str | None], allowed: float | None) -> None:
        self.join(Job(answering(conversations), Ticket(None if allowed is None else self.now + allowed)))

    @rule(count=st.integers(1, 4))
    def ask_for_classes(self, count: int) -> None:
        self.join(Job([ClassifyCall(Message("x"))] * count))

    @rule(seconds=st.floats(0.001, 1.5))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def a_caller_leaves(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.jobs))
        self.left.add(job)
        self.queue.leave(job)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def a_client_is_gone(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.jobs)).ticket.gone = True

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def a_timer_goes_off(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(self.jobs))
        untouched = not job.begun and job not in self.left
        problem = self.queue.give_up(job)
        assert (problem is not None) == (untouched and self.now >= self.queue.patience(job))
        if problem is not None:
            self.left.add(job)

    @precondition(lambda self: len(self.running) < MOST_TOGETHER)
    @rule()
    def take(self) -> None:
        taken = self.queue.take()
        for job, problem in taken.given_up:
            overdue = not job.begun and self.now >= job.arrived + PATIENCE * BOUNDS.wait_s
            late = job.ticket.expires_at is not None and self.now >= job.ticket.expires_at
            assert job.ticket.gone or late or overdue, "given up without a reason"
            assert problem.status_code == (499 if job.ticket.gone else 504 if late else 503)
            self.left.add(job)
        if taken.batch is not None:
            self.check(taken.batch)
            self.running.append(taken.batch)

    def check(self, batch: Batch) -> None:
        assert 1 <= len(batch) <= BOUNDS.batch
        for portion in batch.portions:
            job = portion.job
            assert not any(other.job is job for batch in self.running for other in batch.portions), "one part of a request at a time"
            assert job not in self.left, "who left is not decided"
            assert not job.ticket.gone
            assert job.ticket.expires_at is None or self.now < job.ticket.expires_at, "begun after its deadline"
            assert portion.start or self.now < job.arrived + PATIENCE * BOUNDS.wait_s, "begun after too long a wait"
            assert portion.start == len(self.given[job]), "in order, none twice, none passed over"
            self.given[job] += range(portion.start, portion.stop)
        conversations = [call.message.conversation_id for portion in batch.portions for call in portion.calls]
        named = [each for each in conversations if each is not None]
        assert len(set(named)) == len(named), "one batch holds no conversation twice"
        elsewhere = {each for other in self.running for each in other.conversations}
        assert elsewhere.isdisjoint(named), "no conversation is decided in two places"
        for portion in batch.portions:
            told = {call.message.conversation_id for call in portion.calls if isinstance(call, AnswerCall)} - {None}
            for earlier in self.jobs[: self.jobs.index(portion.job)]:
                if earlier not in self.left and isinstance(earlier.calls[0], AnswerCall):
                    assert told.isdisjoint(call.message.conversation_id for call in earlier.calls[earlier.begun :]), "out of order"
        self.nobody_overtakes(batch)

    def nobody_overtakes(self, batch: Batch) -> None:
        """Of one type, those alone are passed over of whose request or conversation something is in progress, or who stand behind such."""
        kind = type(batch.portions[0].job.calls[0])
        parts = {portion.job for other in [*self.running, batch] for portion in other.portions}
        busy = {each for other in [*self.running, batch] for each in other.conversations}
        last = max(self.jobs.index(portion.job) for portion in batch.portions)
        for job in self.jobs[:last]:
            if job.left and job not in self.left and job not in parts and type(job.calls[0]) is kind:
                call = job.calls[job.begun]
                assert isinstance(call, AnswerCall), "nothing holds a classification back"
                ahead = [
                    c
                    for other in self.jobs[: self.jobs.index(job)]
                    if other.left and other not in self.left
                    for c in other.calls[other.begun :]
                ]
                held = busy | {c.message.conversation_id for c in ahead if isinstance(c, AnswerCall)}
                assert call.message.conversation_id in held

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(self.running))
        self.running.remove(batch)
        self.queue.finish(batch)

    @invariant()
    def what_waits_is_what_was_let_in_and_neither_begun_nor_left(self) -> None:
        assert self.queue.waiting == sum(len(job.calls) - len(self.given[job]) for job in self.jobs if job not in self.left)

    @invariant()
    def the_age_is_that_of_the_oldest_untouched(self) -> None:
        ages = [self.now - job.arrived for job in self.jobs if not job.begun and job not in self.left]
        assert self.queue.age() == max(ages, default=0.0)

    def teardown(self) -> None:
        """However it went, what still waits is decided in the end, in the order of each conversation."""
        while self.running:
            self.queue.finish(self.running.pop())
        while self.queue.waiting:
            before = self.queue.waiting
            self.take()
            assert self.queue.waiting < before, "the queue is stuck"
            for batch in self.running:
                self.queue.finish(batch)
            self.running.clear()
        assert all(len(self.given[job]) == len(job.calls) for job in self.jobs if job not in self.left)


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)

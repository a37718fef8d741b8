"""The engine as routes see it: requests wait for it in one queue, are decided in batches, counted and presented."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from time import perf_counter_ns
from typing import Any, TypeVar

from serving.calls import AnswerCall, ClassifyCall, Ticket
from serving.decide import Engine as Engine
from serving.decide import answer, classify, record
from serving.errors import ProblemError
from serving.identifiers import UlidSource
from serving.lane import Decide, Lane, Release
from serving.metrics import Metrics
from serving.present import answer_out, classification_out, written
from serving.queue import Bounds
from serving.rollout_watch import Look, RolloutWatch
from serving.stages import ENGINE, Stages
from serving.workers import Workers
from yingda.dialogue import Dialogue, ReusedError, Told
from yingda.domain.decision import Answer
from yingda.domain.rollout import PlanRevision
from yingda.privacy.sealing import sealing
from yingda.store.base import Store
from yingda.store.memory import Memory
from yingda.store.rollouts import Rollouts, rollouts_of
from yingda.store.vault import Vault

Result = TypeVar("Result")

_READERS, _READS_WAITING = 4, 512


class Service:
    """Runs requests through the engine; ``ready`` turns true once it has decided its first message."""

    def __init__(
        self,
        engine: Engine,
        *,
        memory: Memory,
        clock: Callable[[], datetime],
        current: Callable[[], Engine],
        cores: int = 1,
        bounds: Bounds | None = None,
        vault: Vault | None = None,
        taken_back: Callable[[PlanRevision], None] = lambda _revision: None,
        today: Store | None = None,
    ) -> None:
        """``cores`` batches are decided at a time; ``bounds`` say what may wait for that; ``taken_back`` hears what the guardrail does.

        ``today`` is the store of the service that answers with the release of today; it is closed with this one.
        """
        self._current = current
        self.memory = memory
        self.vault = vault
        self.clock = clock
        kinds: dict[type, Decide] = {ClassifyCall: self._classify_now, AnswerCall: self._answer_now}
        self.metrics = Metrics(engine.identity, queue_depth=lambda: self._lane.waiting, queue_age=lambda: self._lane.age)
        self._stages = Stages(self.metrics.spend)
        self._lane = Lane(kinds, cores=cores, bounds=bounds, around=self._stages.batch)
        # Threads of their own: what reads the store neither waits behind messages nor holds them up.
        self._readers = Workers(threads=_READERS, max_queue=_READS_WAITING)
        self.ready = False
        self._rollouts = rollouts_of(memory, today=today)
        self._today = today
        self._watch = RolloutWatch(self._rollouts, clock, taken_back) if self._rollouts else None
        self._dialogue = Dialogue(
            memory,
            render=self._render,
            record=sealing(record, vault),
            new_id=UlidSource(),
            plan=self._plan,
            spent=self._stages.spent,
        )

    @property
    def engine(self) -> Engine:
        """The engine in use: take it once a request and use that one throughout."""
        return self._current()

    @property
    def last_look(self) -> Look | None:
        """The last look at the guardrails of the roll-out."""
        return self._watch.last if self._watch else None

    async def warm_up(self) -> None:
        """Let the engine load what it loads on first use, so that the first customer does not wait for it."""
        await self._lane.run_chore(self.engine.warm_up)
        if self._watch:
            self._watch.start()
        self.ready = True

    def close(self) -> None:
        """Take no more work and wait for what runs."""
        self.ready = False
        if self._watch:
            self._watch.close()
        self._lane.close()
        self._readers.close()
        if self._today:
            self._today.close()

    def refusal(self) -> ProblemError | None:
        """The 503 for every message that comes now, while too many wait for the engine."""
        return self._lane.refusal()

    async def classify(self, calls: Sequence[ClassifyCall], *, ticket: Ticket | None = None) -> list[dict[str, Any]]:
        """For each call, in order, what /v1/classify tells; raises ProblemError 503 or 504 when the engine did not get to them."""
        return await self._lane.run(calls, ticket)

    async def answer(self, calls: Sequence[AnswerCall], *, ticket: Ticket | None = None) -> list[Mapping[str, Any] | ProblemError]:
        """For each call, in order, the answer as /v1/answer tells it, or why its message_id cannot be used; raises as ``classify`` does."""
        return await self._lane.run(calls, ticket)

    async def look_up(self, work: Callable[[Memory], Result]) -> Result:
        """What ``work`` finds in the memory, read off the event loop; for work that asks the engine, see ``take_turn``."""
        return await self._readers.run(partial(work, self.memory))

    async def take_turn(self, work: Callable[[Memory], Result]) -> Result:
        """What ``work`` finds in the memory with the engine's help: it waits its turn among the messages, for a core."""
        return await self._lane.run_chore(partial(work, self.memory))

    async def roll_out(self, work: Callable[[Rollouts], Result]) -> Result:
        """What ``work`` does with the roll-out, off the event loop; raises a 409 ProblemError where the store forgets."""
        rollouts = self._rollouts
        if rollouts is None:
            raise ProblemError(409, "rollout_needs_store", "a roll-out must outlive the process; set YINGDA_STORE to a database")
        return await self._readers.run(partial(work, rollouts))

    def _plan(self) -> PlanRevision | None:
        return self._rollouts.in_force() if self._rollouts else None

    def _classify_now(self, portions: Sequence[Sequence[ClassifyCall]], _release: Release) -> list[list[dict[str, Any]] | BaseException]:
        engine, started = self.engine, perf_counter_ns()
        portions_found = classify(engine, portions)
        decided = perf_counter_ns()
        self._stages.spent(ENGINE, started, decided)
        self._stages.timed([each.timing for found in portions_found if not isinstance(found, BaseException) for each in found])
        told: list[list[dict[str, Any]] | BaseException] = []
        for found in portions_found:
            if isinstance(found, BaseException):
                told.append(found)
            else:
                self.metrics.count_classifications(found)
                told.append([classification_out(each, knowledge=engine.knowledge, model=engine.identity) for each in found])
        self._stages.spent("render", decided, perf_counter_ns())
        return told

    def _answer_now(
        self, portions: Sequence[Sequence[AnswerCall]], release: Release
    ) -> list[list[Mapping[str, Any] | ProblemError] | BaseException]:
        found = answer(self._dialogue, self.engine, portions, release, self.clock(), self._stages.spent)
        self._count(portions, found)
        return [each if isinstance(each, BaseException) else [_told_out(one) for one in each] for each in found]

    def _count(self, portions: Sequence[Sequence[AnswerCall]], found: Sequence[Sequence[Told | ReusedError] | BaseException]) -> None:
        timings = []
        for calls, portion in zip(portions, found, strict=True):
            for call, told in zip(calls, () if isinstance(portion, BaseException) else portion, strict=False):
                if isinstance(told, Told):
                    self.metrics.count_reply(told, dry_run=call.dry_run)
                    if told.answer is not None:
                        timings.append(told.answer.classification.timing)
        self._stages.timed(timings)

    def _render(self, engine: Engine, answer: Answer, answer_id: str) -> Mapping[str, Any]:
        return written(answer_out(answer, knowledge=engine.knowledge, model=engine.identity, answer_id=answer_id))


def _told_out(told: Told | ReusedError) -> Mapping[str, Any] | ProblemError:
    if isinstance(told, ReusedError):
        return ProblemError(409, "message_id_reused", str(told))
    return {**told.record, "stored": told.stored}

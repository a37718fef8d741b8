"""The engine as routes see it: one call a request, in the worker threads, counted and presented."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from serving.calls import AnswerCall, ClassifyCall, Ticket
from serving.errors import ProblemError
from serving.identifiers import UlidSource
from serving.metrics import Metrics
from serving.present import answer_out, classification_out
from serving.rollout_watch import Look, RolloutWatch
from serving.workers import Result, Workers
from yingda.dialogue import Dialogue, Request, ReusedError, Told, turn_record
from yingda.domain.conversation import ConversationState
from yingda.domain.decision import Answer, Classification
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import Knowledge
from yingda.domain.message import Message
from yingda.domain.rollout import PlanRevision
from yingda.store.memory import Memory
from yingda.store.rollouts import Rollouts, rollouts_of


class Engine(Protocol):
    """What serving needs of the engine: blocking, thread-safe calls."""

    @property
    def identity(self) -> ModelIdentity:
        """The bundle in use."""

    @property
    def knowledge(self) -> Knowledge:
        """The pack in use."""

    def warm_up(self) -> None:
        """Decide messages that make everything load which loads on first use."""

    def classify_many(self, messages: Sequence[Message], *, top_k: int = 3) -> list[Classification]:
        """One classification for each message, in order."""

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None) -> list[Answer]:
        """One answer for each message, in order, in the conversation whose state stands in the same place."""


class Service:
    """Runs requests through the engine; ``ready`` turns true once it has decided its first message."""

    def __init__(
        self, engine: Engine, *, workers: Workers, memory: Memory, clock: Callable[[], datetime], current: Callable[[], Engine]
    ) -> None:
        self._current = current
        self.memory = memory
        self.clock = clock
        self.metrics = Metrics(engine.identity, queue_depth=lambda: workers.waiting)
        self.ready = False
        self._workers = workers
        self._rollouts = rollouts_of(memory)
        self._watch = RolloutWatch(self._rollouts, clock) if self._rollouts else None
        self._dialogue = Dialogue(memory, render=self._render, record=turn_record, new_id=UlidSource(), plan=self._plan)

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
        await self._workers.run(self.engine.warm_up, size=1)
        if self._watch:
            self._watch.start()
        self.ready = True

    def close(self) -> None:
        """Take no more work and wait for what runs."""
        self.ready = False
        if self._watch:
            self._watch.close()
        self._workers.close()

    async def classify(self, calls: Sequence[ClassifyCall], *, ticket: Ticket | None = None) -> list[dict[str, Any]]:
        """For each call, in order, what /v1/classify tells."""
        return await self._workers.run(partial(self._classify_now, calls), size=len(calls))

    async def answer(self, calls: Sequence[AnswerCall], *, ticket: Ticket | None = None) -> list[Mapping[str, Any] | ProblemError]:
        """For each call, in order, the answer as /v1/answer tells it, or why its message_id cannot be used."""
        return await self._workers.run(partial(self._answer_now, calls), size=len(calls))

    async def look_up(self, work: Callable[[Memory], Result]) -> Result:
        """What ``work`` finds in the memory, read off the event loop."""
        return await self._workers.run(partial(work, self.memory), size=1)

    async def roll_out(self, work: Callable[[Rollouts], Result]) -> Result:
        """What ``work`` does with the roll-out, off the event loop; raises a 409 ProblemError where the store forgets."""
        rollouts = self._rollouts
        if rollouts is None:
            raise ProblemError(409, "rollout_needs_store", "a roll-out must outlive the process; set YINGDA_STORE to a database")
        return await self._workers.run(partial(work, rollouts), size=1)

    def _plan(self) -> PlanRevision | None:
        return self._rollouts.in_force() if self._rollouts else None

    def _classify_now(self, calls: Sequence[ClassifyCall]) -> list[dict[str, Any]]:
        engine = self.engine
        found = _classify_each(engine, calls)
        self.metrics.count_classifications(found)
        return [classification_out(each, knowledge=engine.knowledge, model=engine.identity) for each in found]

    def _answer_now(self, calls: Sequence[AnswerCall]) -> list[Mapping[str, Any] | ProblemError]:
        engine, now = self.engine, self.clock()
        told = self._dialogue.take(engine, [_as_turn(call, now) for call in calls])
        self.metrics.count_answers(each.answer for each in told if isinstance(each, Told) and each.answer)
        return [ProblemError(409, "message_id_reused", str(each)) if isinstance(each, ReusedError) else each.record for each in told]

    def _render(self, engine: Engine, answer: Answer, answer_id: str) -> Mapping[str, Any]:
        return answer_out(answer, knowledge=engine.knowledge, model=engine.identity, answer_id=answer_id)


def _as_turn(call: AnswerCall, now: datetime) -> Request:
    return Request(replace(call.message, at=now), digest=call.digest, dry_run=call.dry_run)


def _classify_each(engine: Engine, calls: Sequence[ClassifyCall]) -> list[Classification]:
    # The engine takes one top_k a call; items that ask for the same one still share a pass.
    found: dict[int, Classification] = {}
    for top_k in sorted({call.top_k for call in calls}):
        places = [place for place, call in enumerate(calls) if call.top_k == top_k]
        results = engine.classify_many([calls[place].message for place in places], top_k=top_k)
        found.update(zip(places, results, strict=True))
    return [found[place] for place in range(len(calls))]

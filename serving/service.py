"""The engine as routes see it: one call a request, in the worker threads, counted and presented."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from serving.identifiers import UlidSource
from serving.metrics import Metrics
from serving.present import answer_out, classification_out
from serving.request_schemas import AnswerRequest, ClassifyRequest
from serving.response_schemas import AnswerResponse, ClassifyResponse
from serving.workers import Workers
from yingda.domain.decision import Answer, Classification
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import Knowledge
from yingda.domain.message import Message


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

    def answer_many(self, messages: Sequence[Message]) -> list[Answer]:
        """One answer for each message, in order."""


class Service:
    """Runs requests through the engine; ``ready`` turns true once it has decided its first message."""

    def __init__(self, engine: Engine, *, workers: Workers) -> None:
        self.engine = engine
        self.metrics = Metrics(engine.identity, queue_depth=lambda: workers.waiting)
        self.ready = False
        self._workers = workers
        self._answer_ids = UlidSource()

    async def warm_up(self) -> None:
        """Let the engine load what it loads on first use, so that the first customer does not wait for it."""
        await self._workers.run(self.engine.warm_up, size=1)
        self.ready = True

    def close(self) -> None:
        """Take no more work and wait for what runs."""
        self.ready = False
        self._workers.close()

    async def classify(self, requests: Sequence[ClassifyRequest]) -> list[ClassifyResponse]:
        """One response for each request, in order."""
        return await self._workers.run(partial(self._classify_now, requests), size=len(requests))

    async def answer(self, requests: Sequence[AnswerRequest]) -> list[AnswerResponse]:
        """One response for each request, in order."""
        return await self._workers.run(partial(self._answer_now, requests), size=len(requests))

    def _classify_now(self, requests: Sequence[ClassifyRequest]) -> list[ClassifyResponse]:
        engine = self.engine
        found = _classify_each(engine, requests)
        self.metrics.count_classifications(found)
        return [classification_out(each, knowledge=engine.knowledge, model=engine.identity) for each in found]

    def _answer_now(self, requests: Sequence[AnswerRequest]) -> list[AnswerResponse]:
        engine = self.engine
        answers = engine.answer_many([request.message() for request in requests])
        self.metrics.count_answers(answers)
        return [answer_out(each, knowledge=engine.knowledge, model=engine.identity, answer_id=self._answer_ids()) for each in answers]


def _classify_each(engine: Engine, requests: Sequence[ClassifyRequest]) -> list[Classification]:
    # The engine takes one top_k a call; items that ask for the same one still share a pass.
    found: dict[int, Classification] = {}
    for top_k in sorted({request.top_k for request in requests}):
        places = [place for place, request in enumerate(requests) if request.top_k == top_k]
        results = engine.classify_many([requests[place].message() for place in places], top_k=top_k)
        found.update(zip(places, results, strict=True))
    return [found[place] for place in range(len(requests))]

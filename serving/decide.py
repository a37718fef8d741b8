"""What a batch of calls comes to: the engine on its core, the dialogue around it, and one request's mishap kept from the others'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain, islice
from time import perf_counter_ns
from typing import Protocol

from serving.calls import AnswerCall, ClassifyCall
from serving.lane import Release
from serving.stages import ENGINE
from yingda.dialogue import Dialogue, Request, ReusedError, Spent, Told, turn_record, unwatched
from yingda.domain.conversation import ConversationState
from yingda.domain.decision import Answer, Classification
from yingda.domain.errors import StoreError
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import Knowledge
from yingda.domain.message import Message
from yingda.store.records import Conflict, StoredTurn


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


class OnCore:
    """The engine for one batch of answers, which gives the core back as soon as it has answered.

    When a message must be decided again because another process wrote to its conversation, it does not wait for a core: it
    holds the conversation's lock, and who has the core may wait for that.
    """

    def __init__(self, engine: Engine, release: Release, spent: Spent) -> None:
        self._engine, self._release, self._spent = engine, release, spent
        self.identity, self.knowledge = engine.identity, engine.knowledge
        self.recorded: set[int] = set()
        """Requests (by identity) that were about to be written."""

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None, /) -> list[Answer]:
        """See Engine."""
        started = perf_counter_ns()
        try:
            return self._engine.answer_many(messages, states)
        finally:
            self._release()
            self._spent(ENGINE, started, perf_counter_ns())


def record(engine: OnCore, request: Request, answer: Answer, told: Told, conversation_id: str) -> StoredTurn:
    """``turn_record`` that marks the request as about to be written."""
    engine.recorded.add(id(request))
    return turn_record(engine, request, answer, told, conversation_id)


def classify(engine: Engine, portions: Sequence[Sequence[ClassifyCall]]) -> list[list[Classification] | BaseException]:
    """Classifications of each portion, or why there are none."""
    try:
        found = iter(_classify_each(engine, [*chain(*portions)]))
        return [[*islice(found, len(portion))] for portion in portions]
    except Exception as error:
        # what one message does to the engine is not to befall those who only happened to wait beside it
        return [error] if len(portions) == 1 else [*chain(*(classify(engine, [portion]) for portion in portions))]


def answer(
    dialogue: Dialogue,
    engine: Engine,
    portions: Sequence[Sequence[AnswerCall]],
    release: Release,
    now: datetime,
    spent: Spent = unwatched,
) -> list[list[Told | ReusedError] | BaseException]:
    """What to tell for each portion, or why nothing can be told.

    After a mishap each portion is decided by itself, unless that might store a message twice or the store cannot be used.
    """
    requests = [
        [Request(replace(call.message, at=now), digest=call.digest, dry_run=call.dry_run) for call in portion] for portion in portions
    ]
    on_core = OnCore(engine, release, spent)
    try:
        told = iter(dialogue.take(on_core, [*chain(*requests)]))
        return [[*islice(told, len(portion))] for portion in portions]
    except Exception as error:
        if len(portions) == 1 or (isinstance(error, StoreError) and not isinstance(error, Conflict)):
            return [error] * len(portions)
        alone: list[list[Told | ReusedError] | BaseException] = []
        for portion, asked in zip(portions, requests, strict=True):
            may_be_stored = any(id(each) in on_core.recorded and not each.message.message_id for each in asked)
            alone += [error] if may_be_stored else answer(dialogue, engine, [portion], release, now, spent)
        return alone


def _classify_each(engine: Engine, calls: Sequence[ClassifyCall]) -> list[Classification]:
    # The engine takes one top_k a call; items that ask for the same one still share a pass.
    found: dict[int, Classification] = {}
    for top_k in sorted({call.top_k for call in calls}):
        places = [place for place, call in enumerate(calls) if call.top_k == top_k]
        results = engine.classify_many([calls[place].message for place in places], top_k=top_k)
        found.update(zip(places, results, strict=True))
    return [found[place] for place in range(len(calls))]

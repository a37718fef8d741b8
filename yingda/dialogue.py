"""One turn of a conversation: recall it, decide, remember, and only then tell the caller.

The engine decides and knows no database; the memory is durable and decides nothing. This is the one place where they meet,
for the service, the evaluation and replays alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import pairwise
from threading import Lock
from time import perf_counter_ns
from typing import Any, Protocol, TypeVar

from yingda.decide.conversation import idle_since
from yingda.decide.evidence import NO_MATTER
from yingda.decide.package import build_package
from yingda.decide.rollout import placement_of
from yingda.domain.conversation import ConversationState
from yingda.domain.decision import Answer, Outcome
from yingda.domain.errors import YingdaError
from yingda.domain.handoff import HandoffPolicy, TurnRecord
from yingda.domain.identity import ModelIdentity
from yingda.domain.knowledge import Knowledge, Sentiment
from yingda.domain.message import Customer, Message
from yingda.domain.rollout import Arm, Placement, PlanRevision
from yingda.reply.variables import profile_of
from yingda.store.codec import encode
from yingda.store.memory import Memory, NotStored, Recalled, Write
from yingda.store.records import Conflict, Duplicate, HandoffOpened, Masked, StoredTurn, TurnFacts, hash_customer
from yingda.text.masking import mask

ATTEMPTS = 8
"""Tries to remember a turn while other workers write to the same conversation."""

_STRIPES = 256

T = TypeVar("T")


class ReusedError(YingdaError):
    """A message id was sent again with another body."""


class Decider(Protocol):
    """The engine as a dialogue needs it."""

    @property
    def identity(self) -> ModelIdentity:
        """The bundle in use."""

    @property
    def knowledge(self) -> Knowledge:
        """The knowledge in use."""

    def answer_many(self, messages: Sequence[Message], states: Sequence[ConversationState] | None = None, /) -> list[Answer]:
        """One answer for each message of the conversation whose state stands in the same place."""


@dataclass(frozen=True, slots=True)
class Request:
    """A message, the digest of the request it came in (see Idempotency), and whether nothing may be stored."""

    message: Message
    digest: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What the caller is told: the answer as it was, or will be, stored; ``answer`` is None when it was told before.

    ``placement`` is its place in the roll-out; None where there is none. ``stored`` is True once the turn is kept: in the
    store, or in the journal that stands in for it; False for a dry run, and where no disk would take it.
    """

    turn_id: str
    record: Mapping[str, Any]
    answer: Answer | None
    placement: Placement | None = None
    stored: bool = False


Render = Callable[[Any, Answer, str], Mapping[str, Any]]
"""The engine, its answer and the answer's id as the JSON that is stored and served."""

Record = Callable[[Any, Request, Answer, Told, str], StoredTurn]
"""What is stored about a turn: the engine, the request, its answer, what the caller is told, the name of the conversation."""


PlanInForce = Callable[[], PlanRevision | None]
"""The roll-out's plan as it is now; None where nothing is rolled out and every reply is sent."""

Spent = Callable[[str, int, int], None]
"""Told of each ``recall``, ``render`` and ``commit``: when it began and ended, by time.perf_counter_ns."""


def unwatched(_stage: str, _started: int, _ended: int) -> None:
    """Where nobody asks how long stages take."""


class Dialogue:
    """Decides messages in their conversations; threads may share it.

    By the plan in force each message has its arm. In an arm that sends nothing the message is decided, the conversation goes
    on as if the reply had been sent, and both are stored; but no person is called, for a person, or another release, answers.

    Messages of one conversation are decided one after the other, whatever order threads come in; across processes the
    version of the conversation is checked when it is written, and who comes second decides again.
    """

    def __init__(
        self,
        memory: Memory,
        *,
        render: Render,
        record: Record,
        new_id: Callable[[], str],
        plan: PlanInForce = lambda: None,
        spent: Spent = unwatched,
    ) -> None:
        self._spent = spent
        self._memory, self._render, self._record, self._new_id, self._plan = memory, render, record, new_id, plan
        self._locks = tuple(Lock() for _ in range(_STRIPES))

    def take(self, engine: Decider, requests: Sequence[Request]) -> list[Told | ReusedError]:
        """What to tell for each request, in order; raises StoreError when it cannot be stored.

        Requests without a conversation, or alone in theirs, share a pass of the engine; the rest follow one by one.
        """
        told: dict[int, Told | ReusedError] = {}
        plan = self._plan()
        for wave in _waves(requests):
            self._take_wave(engine, [(place, requests[place]) for place in wave], told, plan)
        return [told[place] for place in range(len(requests))]

    def _take_wave(
        self, engine: Decider, wave: Sequence[tuple[int, Request]], told: dict[int, Told | ReusedError], plan: PlanRevision | None
    ) -> None:
        stripes = sorted({hash(key) % _STRIPES for _, request in wave if (key := scope_of(request.message))})
        for stripe in stripes:  # in order, so that two batches never wait for each other
            self._locks[stripe].acquire()
        try:
            left = list(wave)
            for _ in range(ATTEMPTS):
                left = self._attempt(engine, left, told, plan)
                if not left:
                    return
            raise Conflict("the conversation is being written by others; send the message again")
        finally:
            for stripe in stripes:
                self._locks[stripe].release()

    def _attempt(
        self, engine: Decider, wave: Sequence[tuple[int, Request]], told: dict[int, Told | ReusedError], plan: PlanRevision | None
    ) -> list[tuple[int, Request]]:
        """Tell what can be told; the requests that another worker overtook are left."""
        fresh: list[tuple[int, Request, Recalled]] = []
        for (place, request), recalled in zip(wave, self._recall([request.message for _, request in wave]), strict=True):
            if recalled.turn is None:
                fresh.append((place, request, recalled))
            else:
                told[place] = self._again(recalled.turn, request)
        if not fresh:
            return []
        answers = engine.answer_many([request.message for _, request, _ in fresh], [recalled.state for _, _, recalled in fresh])
        writes: list[tuple[int, Request, Told, Write]] = []
        for (place, request, recalled), answer in zip(fresh, answers, strict=True):
            found = self._tell(engine, request, answer, plan)
            if request.dry_run:
                told[place] = found
            else:
                writes.append((place, request, found, self._write(engine, request, answer, found, recalled)))
        return self._remember(writes, told) if writes else []

    def _recall(self, messages: Sequence[Message]) -> list[Recalled]:
        """Each conversation as it is, and what this very message was told before; what has no name was never begun."""
        named = [(scope, message.message_id) for message in messages if (scope := scope_of(message))]
        known = iter(self._timed("recall", lambda: self._memory.recall_all(named)) if named else ())
        return [next(known) if scope_of(message) else Recalled() for message in messages]

    def _again(self, stored: StoredTurn, request: Request) -> Told | ReusedError:
        """What this message was told before."""
        if stored.digest != request.digest:
            return ReusedError("this message_id was used for another message of the conversation; give each message its own id")
        return Told(stored.turn_id, stored.answer, None, stored=self._memory.holds(stored.turn_id))

    def _tell(self, engine: Decider, request: Request, answer: Answer, plan: PlanRevision | None) -> Told:
        turn_id = self._new_id()
        rendered = self._timed("render", lambda: self._render(engine, answer, turn_id))
        if plan is None:
            return Told(turn_id, rendered, answer)
        placement = placement_of(plan, request.message)
        return Told(turn_id, {**rendered, "rollout": _as_told(placement)}, answer, placement)

    def _write(self, engine: Decider, request: Request, answer: Answer, told: Told, recalled: Recalled) -> Write:
        turn = self._record(engine, request, answer, told, scope_of(request.message) or told.turn_id)
        opened = self._opened(engine.knowledge, turn, told, recalled.state, request.message.customer)
        return Write(turn, recalled.version, opened, idle_since(recalled.state, turn.at, engine.knowledge.handoff))

    def _remember(
        self, writes: Sequence[tuple[int, Request, Told, Write]], told: dict[int, Told | ReusedError]
    ) -> list[tuple[int, Request]]:
        """Write all at once and tell what is written; the requests that another worker overtook are left."""
        left: list[tuple[int, Request]] = []
        outcomes = self._timed("commit", lambda: self._memory.remember_all([write for *_, write in writes]))
        for (place, request, found, _), error in zip(writes, outcomes, strict=True):
            match error:
                case None:
                    told[place] = replace(found, stored=True)
                case NotStored():
                    told[place] = found
                case Duplicate(stored=stored):
                    told[place] = self._again(stored, request)
                case Conflict():
                    left.append((place, request))
                case _:
                    raise error
        return left

    def _timed(self, stage: str, work: Callable[[], T]) -> T:
        started = perf_counter_ns()
        try:
            return work()
        finally:
            self._spent(stage, started, perf_counter_ns())

    def _opened(
        self, knowledge: Knowledge, turn: StoredTurn, told: Told, before: ConversationState, customer: Customer | None
    ) -> HandoffOpened | None:
        """The hand-off that begins with this turn, or rises by it, with the package for the agent; one that stands as it was is none."""
        answer = told.answer
        if answer is None or not self._calls(turn.conversation_id, answer, told.placement, before):
            return None
        said = _since_idle((*self._memory.so_far(turn.conversation_id).turns, turn), knowledge.handoff)
        turns = [_as_record(each) for each in said]
        read = (*answer.state.tried, *(each.faq for each in turns if each.faq))
        package = build_package(
            turns,
            handoff=answer.handoff,
            state=answer.state,
            customer=profile_of(customer) if customer else answer.state.customer,
            tried=[entry for entry in read if not _is_small_talk(knowledge, entry)],
            suggested=answer.suggested,
        )
        return HandoffOpened(answer.handoff.reasons, turn.at, encode(package))

    def _calls(self, conversation_id: str, answer: Answer, placement: Placement | None, before: ConversationState) -> bool:
        """True when a person has to be called now.

        Whom the release did not answer at first has a hand-off that stands and that nobody was called for.
        """
        if not answer.handoff.required or answer.state.standing is None or not (placement is None or placement.send):
            return False
        if answer.state.standing is not before.standing:
            return True
        return placement is not None and all(each.released_at is not None for each in self._memory.so_far(conversation_id).handoffs)


def turn_record(engine: Decider, request: Request, answer: Answer, told: Told, conversation_id: str) -> StoredTurn:
    """What is stored about a turn: the text masked, the customer's id hashed. Raises ValueError when the message has no time."""
    message, classification = request.message, answer.classification
    if message.at is None:
        raise ValueError("a message that is stored needs the time it arrived")
    best, customer, placed = answer.candidates[0], message.customer, told.placement
    facts = TurnFacts(
        outcome=answer.outcome.value,
        intent=classification.intent.code,
        category=engine.knowledge.taxonomy.intents[classification.intent.code].category,
        sentiment=classification.sentiment.label.value,
        faq=answer.faq.id if answer.faq else None,
        confidence=best.confidence,
        reasons=answer.handoff.reasons,
        arm=str(placed.arm if placed else Arm.AUTOMATED),
        release=placed.release if placed else engine.identity.version,
        bundle=engine.identity.sha256,
        knowledge=engine.knowledge.digest,
        channel=message.channel.value,
        tier=customer.tier.value if customer else None,
        customer=hash_customer(customer.id) if customer else None,
    )
    return StoredTurn(
        turn_id=told.turn_id,
        conversation_id=conversation_id,
        message_id=message.message_id,
        digest=request.digest,
        at=message.at,
        text=Masked(answer.masked or mask(message.text)),
        state=answer.state,
        answer=told.record,
        facts=facts,
    )


def _as_record(turn: StoredTurn) -> TurnRecord:
    facts = turn.facts
    sent = facts.arm in (None, Arm.AUTOMATED)  # what was not sent is no part of what was said
    faq, reply = (facts.faq, turn.answer.get("reply", {}).get("text", "")) if sent else (None, "")
    return TurnRecord(turn.at, turn.text, Outcome(facts.outcome), facts.intent, Sentiment(facts.sentiment), faq, mask(reply))


def _since_idle(turns: Sequence[StoredTurn], policy: HandoffPolicy) -> Sequence[StoredTurn]:
    """Those of ``turns`` that were said since the conversation last began anew after the idle time."""
    anew = [place for place, (before, turn) in enumerate(pairwise(turns), 1) if idle_since(before.state, turn.at, policy) is not None]
    return turns[anew[-1] :] if anew else turns


def _is_small_talk(knowledge: Knowledge, entry: str) -> bool:
    """True for an entry whose answer helps with no matter; one that was retired since may have."""
    known = knowledge.faq.get(entry)
    return known is not None and known.intent in NO_MATTER


def _as_told(placement: Placement) -> dict[str, Any]:
    """The place in the roll-out as the caller is told."""
    return {"arm": str(placement.arm), "release": placement.release, "send": placement.send, "revision": placement.revision}


def scope_of(message: Message) -> str | None:
    """The conversation a message is stored under; one that names none is a conversation of its own, found again by its id.

    Such ids are a caller's and a customer's own, as the others are a conversation's: two who count from 1 are told apart.
    """
    if message.conversation_id or not message.message_id:
        return message.conversation_id or None
    caller, customer = message.caller or "", message.customer.id if message.customer else ""
    if not caller and not customer:
        return f"~message/{message.message_id}"
    # lengths first, so that no two of them can be read alike
    whose = f"{len(caller)}:{caller}{len(customer)}:{customer}{message.message_id}"
    return f"~message/~{sha256(whose.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _waves(requests: Sequence[Request]) -> list[list[int]]:
    """Places of the requests, such that no wave holds two of one conversation and their order is kept."""
    waves: list[list[int]] = []
    taken: dict[str, int] = {}
    for place, request in enumerate(requests):
        conversation = scope_of(request.message)
        wave = taken.get(conversation, 0) if conversation else 0
        if conversation:
            taken[conversation] = wave + 1
        while len(waves) <= wave:
            waves.append([])
        waves[wave].append(place)
    return waves

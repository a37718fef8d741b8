"""What a dialogue needs to remember, and a memory that lives as long as its process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import RLock
from types import MappingProxyType
from typing import Any, Protocol

from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.errors import StoreError
from yingda.store.base import JsonText
from yingda.store.codec import as_json, read_json, through_json
from yingda.store.failures import is_away
from yingda.store.health import StoreHealth
from yingda.store.records import (
    Conflict,
    Duplicate,
    Feedback,
    HandoffOpened,
    IdUsed,
    Reused,
    StoredHandoff,
    StoredTurn,
    Unknown,
    closed_idle,
    released,
)


@dataclass(frozen=True, slots=True)
class Write:
    """A turn to be written onto ``version`` of its conversation, with the hand-off that it opens.

    ``idle_since`` is the time of the last message where the turn begins the conversation anew after the idle time: hand-offs opened
    until then and not released yet are released with it, by ``IDLE``.
    """

    turn: StoredTurn
    version: int
    handoff: HandoffOpened | None = None
    idle_since: datetime | None = None


Entry = Write | Feedback
"""What is added to a memory."""

Outcome = StoreError | bool
"""What became of an entry: True when it was written, False for feedback that was there, or why it could not be written."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """A conversation as it is, and the turn that answered the message asked about, if one did; (NEW, 0) is nothing known."""

    state: ConversationState = NEW
    version: int = 0
    turn: StoredTurn | None = None


@dataclass(frozen=True, slots=True)
class SoFar:
    """What was said in a conversation and whom it was handed to, in order, as far as it can be had at once."""

    turns: Sequence[StoredTurn] = ()
    handoffs: Sequence[StoredHandoff] = ()


class NotStored(StoreError):  # noqa: N818 - named by what happened
    """Neither the store nor the journal could take the turn; it is known in this process alone, for as long as it may."""

    def __init__(self) -> None:
        super().__init__("neither the store nor the journal can be written; make room or start the database", code="store_not_stored")


class Memory(Protocol):
    """Conversations as they were; threads may share one. All but Conflict, Duplicate and Unknown is plain StoreError."""

    def recall_all(self, asked: Sequence[tuple[str, str | None]]) -> list[Recalled]:
        """What is known of each conversation, and of the message of that id where one is named, in order."""

    def remember_all(self, writes: Sequence[Write]) -> list[StoreError | None]:
        """``remember`` for each in one transaction, in order; None for each that is written.

        One that fails by itself (Duplicate, Conflict, IdUsed, what is no JSON, NotStored) says so in its place and takes no
        other with it. Raises StoreError where nothing can be written at all, and then nothing is.
        """

    def so_far(self, conversation_id: str) -> SoFar:
        """What an agent is told of a conversation; the reply that opens a hand-off waits for it."""

    def holds(self, turn_id: str, /) -> bool:
        """False for a turn that is known in this process alone, because no disk would take it."""

    def recall(self, conversation_id: str) -> tuple[ConversationState, int]:
        """The state after the last turn and its version; (NEW, 0) when nothing is known."""

    def find(self, conversation_id: str, message_id: str) -> StoredTurn | None:
        """The turn that answered this message, if one did."""

    def remember(self, turn: StoredTurn, *, version: int, handoff: HandoffOpened | None = None) -> None:
        """Write turn, new state and hand-off, all or nothing; durable when it returns.

        Raises Duplicate when the message is stored already, else Conflict when ``version`` is not the conversation's.
        """

    def release(self, conversation_id: str, *, by: str, at: datetime) -> ConversationState:
        """Let the bot speak again; returns the new state, unchanged where nothing stood. Raises Unknown."""

    def turns(self, conversation_id: str) -> list[StoredTurn]:
        """The turns of a conversation, in the order they were written."""

    def turn(self, turn_id: str) -> StoredTurn | None:
        """The turn of that id."""

    def turns_since(self, since: datetime) -> Iterator[StoredTurn]:
        """All turns from ``since`` on, by time and then by id; as many as there are, a few at a time."""

    def handoffs(self, conversation_id: str) -> list[StoredHandoff]:
        """The hand-offs of a conversation, in the order they were opened."""

    def add_feedback(self, feedback: Feedback) -> bool:
        """Write feedback; False when the same was stored before.

        Raises Reused when other feedback of this digest was, and Unknown when there is no such answer.
        """

    def feedback(self, answer_id: str) -> list[Feedback]:
        """The feedback on an answer, in the order of its time."""

    def forget_before(self, when: datetime) -> int:
        """Delete the conversations whose last turn or release was before ``when``, with all that hangs on them; returns how many."""

    def erase_customer(self, customer: str) -> int:
        """Delete every conversation in which the customer of this hash took part; returns how many."""

    def health(self) -> StoreHealth | None:
        """How the store fares; None for a memory that has nothing to fall back on."""

    def close(self) -> None:
        """Write what can be written and let go of files and connections."""


_UNREAD: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Kept:
    """A turn whose answer is kept as text, a tenth of its size: most are never read again."""

    turn: StoredTurn
    answer: JsonText

    def read(self) -> StoredTurn:
        return replace(self.turn, answer=read_json(self.answer))


class VolatileMemory:
    """A Memory in this process alone, for tests, replays and a bot that may forget."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._states: dict[str, tuple[ConversationState, int, datetime]] = {}
        self._turns: dict[str, _Kept] = {}
        self._of: dict[str, list[_Kept]] = {}
        self._handoffs: dict[str, list[StoredHandoff]] = {}
        self._feedback: dict[tuple[str, str], Feedback] = {}

    def recall_all(self, asked: Sequence[tuple[str, str | None]]) -> list[Recalled]:
        """See Memory."""
        with self._lock:
            return [Recalled(*self.recall(name), self.find(name, message) if message else None) for name, message in asked]

    def remember_all(self, writes: Sequence[Write]) -> list[StoreError | None]:
        """See Memory."""
        with self._lock:
            return [self._outcome(write) for write in writes]

    def so_far(self, conversation_id: str) -> SoFar:
        """See Memory."""
        with self._lock:
            return SoFar(self.turns(conversation_id), self.handoffs(conversation_id))

    def holds(self, _: str, /) -> bool:
        """See Memory; nothing is safer than the process here."""
        return True

    def recall(self, conversation_id: str) -> tuple[ConversationState, int]:
        """See Memory."""
        with self._lock:
            state, version, _ = self._states.get(conversation_id, (NEW, 0, None))
            return state, version

    def find(self, conversation_id: str, message_id: str) -> StoredTurn | None:
        """See Memory."""
        with self._lock:
            kept = next((each for each in self._of.get(conversation_id, ()) if each.turn.message_id == message_id), None)
        return None if kept is None else kept.read()

    def remember(self, turn: StoredTurn, *, version: int, handoff: HandoffOpened | None = None) -> None:
        """See Memory; nothing is durable here."""
        kept = _Kept(replace(turn, answer=_UNREAD), as_json(turn.answer))
        handoff = handoff and replace(handoff, package=through_json(handoff.package))
        with self._lock:
            if turn.message_id is not None and (stored := self.find(turn.conversation_id, turn.message_id)):
                raise Duplicate(stored)
            if turn.turn_id in self._turns:
                raise IdUsed
            if self.recall(turn.conversation_id)[1] != version:
                raise Conflict
            self._states[turn.conversation_id] = (turn.state, version + 1, turn.at)
            self._turns[turn.turn_id] = kept
            self._of.setdefault(turn.conversation_id, []).append(kept)
            if handoff is not None:
                self._handoffs.setdefault(turn.conversation_id, []).append(StoredHandoff(turn.conversation_id, handoff))

    def release(self, conversation_id: str, *, by: str, at: datetime) -> ConversationState:
        """See Memory."""
        with self._lock:
            if conversation_id not in self._states:
                raise Unknown("conversation")
            state, version, _ = self._states[conversation_id]
            if state.standing is None:
                return state
            self._states[conversation_id] = (released(state), version + 1, at)
            opened = self._handoffs.get(conversation_id, [])
            opened[:] = [one if one.released_at else replace(one, released_at=at, released_by=by) for one in opened]
            return released(state)

    def turns(self, conversation_id: str) -> list[StoredTurn]:
        """See Memory."""
        with self._lock:
            found = list(self._of.get(conversation_id, ()))
        return [each.read() for each in found]

    def turn(self, turn_id: str) -> StoredTurn | None:
        """See Memory."""
        with self._lock:
            kept = self._turns.get(turn_id)
        return None if kept is None else kept.read()

    def turns_since(self, since: datetime) -> Iterator[StoredTurn]:
        """See Memory; what comes later than the call is not seen."""
        with self._lock:
            found = [each for each in self._turns.values() if each.turn.at >= since]
        for kept in sorted(found, key=lambda each: (each.turn.at, each.turn.turn_id)):
            yield kept.read()

    def handoffs(self, conversation_id: str) -> list[StoredHandoff]:
        """See Memory."""
        with self._lock:
            return list(self._handoffs.get(conversation_id, ()))

    def add_feedback(self, feedback: Feedback) -> bool:
        """See Memory."""
        with self._lock:
            if feedback.answer_id not in self._turns:
                raise Unknown("answer")
            key = (feedback.answer_id, feedback.digest)
            if (stored := self._feedback.get(key)) is not None:
                if not stored.says_the_same(feedback):
                    raise Reused
                return False
            self._feedback[key] = feedback
            return True

    def feedback(self, answer_id: str) -> list[Feedback]:
        """See Memory."""
        with self._lock:
            found = [one for one in self._feedback.values() if one.answer_id == answer_id]
        return sorted(found, key=lambda one: (one.at, one.digest))

    def forget_before(self, when: datetime) -> int:
        """See Memory."""
        with self._lock:
            return self._forget([name for name, (_, _, updated) in self._states.items() if updated < when])

    def erase_customer(self, customer: str) -> int:
        """See Memory."""
        with self._lock:
            names = [name for name, turns in self._of.items() if any(each.turn.facts.customer == customer for each in turns)]
            return self._forget(names)

    def health(self) -> StoreHealth | None:
        """See Memory."""
        return None

    def close(self) -> None:
        """See Memory."""

    def _outcome(self, write: Write) -> StoreError | None:
        try:
            self.remember(write.turn, version=write.version, handoff=write.handoff)
        except StoreError as error:
            if is_away(error):
                raise
            return error
        if opened := self._handoffs.get(write.turn.conversation_id):
            opened[:] = closed_idle(opened, since=write.idle_since, at=write.turn.at)
        return None

    def _forget(self, names: Iterable[str]) -> int:
        count = 0
        for name in names:
            gone = {each.turn.turn_id for each in self._of.pop(name, ())}
            self._states.pop(name)
            self._handoffs.pop(name, None)
            self._turns = {key: turn for key, turn in self._turns.items() if key not in gone}
            self._feedback = {key: one for key, one in self._feedback.items() if one.answer_id not in gone}
            count += 1
        return count

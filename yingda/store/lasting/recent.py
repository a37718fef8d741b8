"""Recent conversations in this process: what is remembered of them while the database is away."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from yingda.domain.conversation import ConversationState
from yingda.store.memory import Recalled, SoFar, Write
from yingda.store.records import HandoffOpened, StoredHandoff, StoredTurn, closed_idle

CONVERSATIONS, ANSWERS, TURNS = 2048, 512, 8
"""Conversations kept, whole answers kept, and last turns of a conversation kept for an agent."""


@dataclass(slots=True)
class _Conversation:
    state: ConversationState
    version: int
    turns: deque[StoredTurn] = field(default_factory=lambda: deque(maxlen=TURNS))
    handoffs: deque[StoredHandoff] = field(default_factory=lambda: deque(maxlen=TURNS))


class Recent:
    """The conversations written last, the longest untouched going first; not for several threads at once."""

    def __init__(self, conversations: int = CONVERSATIONS, answers: int = ANSWERS) -> None:
        self._most, self._most_answers = conversations, answers
        self._known: OrderedDict[str, _Conversation] = OrderedDict()
        self._answered: OrderedDict[tuple[str, str], StoredTurn] = OrderedDict()

    def keep(self, write: Write) -> None:
        """A turn was told."""
        turn = write.turn
        known = self._touch(turn.conversation_id, turn.state, write.version + 1)
        known.turns.append(replace(turn, answer=_said(turn.answer)))
        known.handoffs = deque(closed_idle(tuple(known.handoffs), since=write.idle_since, at=turn.at), maxlen=TURNS)
        if write.handoff is not None:
            opened = HandoffOpened(write.handoff.reasons, write.handoff.at)
            known.handoffs.append(StoredHandoff(turn.conversation_id, opened))
        self.found(turn)

    def note(self, conversation_id: str, state: ConversationState, version: int) -> None:
        """The store says that this is how the conversation stands."""
        known = self._known.get(conversation_id)
        if known is None or known.version != version:
            self._touch(conversation_id, state, version)

    def found(self, turn: StoredTurn) -> None:
        """The store says that this message was answered: should it go away, the message is known to be a retried one."""
        if turn.message_id is not None:
            self._answered[(turn.conversation_id, turn.message_id)] = turn
            if len(self._answered) > self._most_answers:
                self._answered.popitem(last=False)

    def recall(self, conversation_id: str, message_id: str | None) -> Recalled:
        """As far as it is known here."""
        known = self._known.get(conversation_id)
        answered = self._answered.get((conversation_id, message_id)) if message_id else None
        return Recalled(turn=answered) if known is None else Recalled(known.state, known.version, answered)

    def so_far(self, conversation_id: str) -> SoFar:
        """Its last turns and hand-offs."""
        known = self._known.get(conversation_id)
        return SoFar() if known is None else SoFar(tuple(known.turns), tuple(known.handoffs))

    def release(self, conversation_id: str, state: ConversationState, *, by: str, at: datetime) -> None:
        """A person gave the conversation back."""
        known = self._known.get(conversation_id)
        if known is None:
            return
        known.version += known.state.standing is not None
        known.state = state
        opened = [one if one.released_at else replace(one, released_at=at, released_by=by) for one in known.handoffs]
        known.handoffs = deque(opened, maxlen=TURNS)

    def forget_all(self) -> None:
        """Know nothing."""
        self._known.clear()
        self._answered.clear()

    def _touch(self, name: str, state: ConversationState, version: int) -> _Conversation:
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = _Conversation(state, version)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        else:
            known.state, known.version = state, version
            self._known.move_to_end(name)
        return known


def _said(answer: Mapping[str, Any]) -> dict[str, Any]:
    """What an agent is shown of an answer; the whole of it is ten times as long."""
    return {name: answer[name] for name in ("reply",) if name in answer}

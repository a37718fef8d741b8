"""What callers were told and the store has not: in order, and found again by conversation, message and turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from yingda.store.lasting.journal import Journal
from yingda.store.memory import Entry, Recalled, Write
from yingda.store.records import Feedback, StoredHandoff, StoredTurn, closed_idle


@dataclass(slots=True, eq=False)
class Held:
    """An entry that waits, and where it ends in which journal; ``source`` is None while it is in this process alone."""

    entry: Entry
    source: Journal | None = None
    end: int = 0


class Waiting:
    """Entries in the order they were told, ``unsaved`` of them in no journal; not for several threads at once."""

    def __init__(self) -> None:
        self._all: dict[int, Held] = {}
        self._turns: dict[str, Held] = {}
        self._messages: dict[tuple[str, str], Held] = {}
        self._conversations: dict[str, dict[int, Held]] = {}
        self.unsaved = 0

    def __len__(self) -> int:
        return len(self._all)

    def add(self, held: Held) -> None:
        """Put it at the end."""
        self._all[id(held)] = held
        self.unsaved += held.source is None
        if isinstance(held.entry, Write):
            turn = held.entry.turn
            self._turns[turn.turn_id] = held
            self._conversations.setdefault(turn.conversation_id, {})[id(held)] = held
            if turn.message_id is not None:
                self._messages[(turn.conversation_id, turn.message_id)] = held

    def drop(self, held: Held) -> None:
        """It waits no longer."""
        del self._all[id(held)]
        self.unsaved -= held.source is None
        if isinstance(held.entry, Write):
            turn = held.entry.turn
            self._turns.pop(turn.turn_id, None)
            if turn.message_id is not None:
                self._messages.pop((turn.conversation_id, turn.message_id), None)
            del self._conversations[turn.conversation_id][id(held)]
            if not self._conversations[turn.conversation_id]:
                del self._conversations[turn.conversation_id]

    def first(self, most: int) -> list[Held]:
        """The first entries that may be written together: one a conversation, and feedback on what is written already."""
        found: list[Held] = []
        taken: set[str] = set()
        for held in islice(self._all.values(), most * 8):
            if isinstance(held.entry, Feedback):
                if held.entry.answer_id not in self._turns:
                    found.append(held)
            elif (name := held.entry.turn.conversation_id) not in taken:
                taken.add(name)
                found.append(held)
            if len(found) == most:
                break
        return found

    def writes(self) -> list[Write]:
        """All turns that wait."""
        return [held.entry for held in self._all.values() if isinstance(held.entry, Write)]

    def has(self, conversation_id: str) -> bool:
        """True while a turn of the conversation waits."""
        return conversation_id in self._conversations

    def recall(self, conversation_id: str, message_id: str | None) -> Recalled | None:
        """The conversation after its last turn that waits, and the turn that answered the message; None when none waits."""
        held = self._conversations.get(conversation_id)
        if held is None:
            return None
        last = next(reversed(held.values())).entry
        assert isinstance(last, Write)  # feedback is kept beside
        answered = self._messages.get((conversation_id, message_id)) if message_id else None
        return Recalled(last.turn.state, last.version + 1, answered.entry.turn if answered and isinstance(answered.entry, Write) else None)

    def turn(self, turn_id: str) -> Held | None:
        """The turn of that id, if it waits."""
        return self._turns.get(turn_id)

    def turns(self, conversation_id: str) -> list[StoredTurn]:
        """The turns of a conversation that wait."""
        return [write.turn for write in self.writes_of(conversation_id)]

    def writes_of(self, conversation_id: str) -> list[Write]:
        """The turns of a conversation that wait, with the hand-offs that they open and release."""
        return [held.entry for held in self._conversations.get(conversation_id, {}).values() if isinstance(held.entry, Write)]

    def feedback(self, answer_id: str) -> list[Feedback]:
        """The feedback on an answer that waits."""
        return [held.entry for held in self._all.values() if isinstance(held.entry, Feedback) and held.entry.answer_id == answer_id]


def handoffs_after(stored: Sequence[StoredHandoff], writes: Sequence[Write]) -> list[StoredHandoff]:
    """Those ``stored`` as they are once ``writes`` of the same conversation are written, and those that these open.

    What was written in between is found in both, and counts once.
    """
    found, known = list(stored), {(one.opened.at, one.opened.reasons) for one in stored}
    for write in writes:
        found = closed_idle(found, since=write.idle_since, at=write.turn.at)
        if write.handoff is not None and (write.handoff.at, write.handoff.reasons) not in known:
            found.append(StoredHandoff(write.turn.conversation_id, write.handoff))
    return found

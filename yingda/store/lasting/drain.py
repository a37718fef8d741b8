"""Writing into the store what waited for it: each record once, those of a conversation in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from yingda.domain.conversation import ConversationState
from yingda.domain.errors import StoreError
from yingda.store.memory import Entry, Outcome, Recalled, Write
from yingda.store.records import Conflict, Duplicate, HandoffOpened, IdUsed, StoredHandoff, closed_idle

ATTEMPTS = 8

WriteAll = Callable[[Sequence[Entry]], list[Outcome]]

Stand = Callable[[str], tuple[Recalled, Sequence[StoredHandoff]]]
"""How a conversation of that name stands in the store, and its hand-offs."""


Drained = Outcome | Write


def drain(entries: Sequence[Entry], write_all: WriteAll, stand: Stand) -> list[Drained]:
    """Write ``entries``, of which no two are turns of one conversation; what became of each.

    True: it is in the store, now or from an earlier attempt whose end nobody saw. A Write: it is there, but its conversation had
    gone on, so that this was appended to it (see ``appended``). A StoreError: the store will never take it. Raises StoreError where
    the store is away; then what was written is found again the next time.
    """
    return [_settle(entry, outcome, write_all, stand) for entry, outcome in zip(entries, write_all(entries), strict=True)]


def _settle(entry: Entry, outcome: Outcome, write_all: WriteAll, stand: Stand) -> Drained:
    if not isinstance(entry, Write):
        return outcome if isinstance(outcome, StoreError) else True  # feedback that was there is where it belongs
    moved = False
    for _ in range(ATTEMPTS):
        match outcome:
            case bool():
                return entry if moved else True
            case IdUsed():
                return entry if moved else True  # ids are drawn once: this very turn was written before
            case Duplicate(stored=stored):
                if stored.turn_id == entry.turn.turn_id:
                    return entry if moved else True
                # another process answered the message too; both were told, so both are kept, and the id stays with the first
                entry = replace(entry, turn=replace(entry.turn, message_id=None))
            case Conflict():
                entry = appended(entry, *stand(entry.turn.conversation_id))
            case _:
                return outcome
        moved = True
        (outcome,) = write_all([entry])
    raise StoreError("the conversation is being written by others", code="store_busy")


def appended(write: Write, now: Recalled, handoffs: Sequence[StoredHandoff]) -> Write:
    """``write`` onto a conversation that is ``now`` further than it was when the turn was decided.

    Whether a person is called is what the store says: somebody may have been called, or have given the conversation back.
    Only a turn that itself calls a person does so still, unless a call stands that was not there when it was decided. A call that
    the turn releases, for the idle time was over, stands no longer.
    """
    standing = closed_idle(handoffs, since=write.idle_since, at=write.turn.at)
    called = any(one.released_at is None for one in standing)
    handoff: HandoffOpened | None = None if called else write.handoff
    state: ConversationState = write.turn.state
    if handoff is None:
        stands = now.state.standing if called or write.idle_since is None else None
        state = replace(state, standing=stands)
    return Write(replace(write.turn, state=state), now.version, handoff, write.idle_since)

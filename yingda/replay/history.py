"""Past turns from the store, with what a replay must know about the conversation around them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice, pairwise, takewhile
from typing import Protocol

from yingda.domain.conversation import ConversationState
from yingda.domain.message import MAX_CHARACTERS, Channel, Tier
from yingda.replay.giving_way import InSteps, finish
from yingda.replay.records import PastTurn, ReplayError, Seen, was_sent
from yingda.store.records import IDLE, StoredHandoff, StoredTurn

READ = 200
"""Turns read from the store before others get their turn."""


class History(Protocol):
    """What is asked of the store (see ``yingda.store.memory.Memory``)."""

    def turns_since(self, since: datetime) -> Iterator[StoredTurn]:
        """All turns from ``since`` on, by time and then by id."""

    def turns(self, conversation_id: str) -> list[StoredTurn]:
        """The turns of a conversation, in the order they were written."""

    def handoffs(self, conversation_id: str) -> list[StoredHandoff]:
        """The hand-offs of a conversation."""


Stored = Mapping[str, Sequence[StoredTurn]]
"""Stored turns by conversation, each in its order."""

Original = Callable[[StoredTurn], str | None]
"""What the customer wrote where personal data was taken out of it; None where that is not kept (see ``Originals``)."""


def not_kept(_: StoredTurn) -> None:
    """Where no originals are read: messages are decided as they are stored, masked."""


def past_turns(history: History, *, since: datetime, until: datetime | None = None, original: Original = not_kept) -> list[PastTurn]:
    """The turns from ``since`` to before ``until``, by conversation in the order they were written; raises ReplayError.

    A conversation that began earlier starts from the state it had then.
    """
    stored = finish(stored_turns(history, since=since, until=until))
    return [turn for conversation in conversations(history, stored, original) for turn in conversation]


def stored_turns(history: History, *, since: datetime, until: datetime | None = None, limit: int | None = None) -> InSteps[Stored]:
    """The stored turns of that time, at most the first ``limit``; gives way after every READ turns."""
    found: dict[str, list[StoredTurn]] = {}
    for number, turn in enumerate(islice(history.turns_since(since), limit), 1):
        if until is not None and turn.at >= until:
            break
        found.setdefault(turn.conversation_id, []).append(turn)
        if number % READ == 0:
            yield
    return found


def conversations(history: History, stored: Stored, original: Original = not_kept) -> Iterator[list[PastTurn]]:
    """Each conversation with what was before it; raises ReplayError."""
    for name, turns in stored.items():
        yield list(_conversation(history, name, turns, original))


def past_turn(history: History, stored: StoredTurn, original: Original = not_kept) -> PastTurn:
    """One turn with the conversation before it, as it was decided; raises ReplayError."""
    (turn,) = _conversation(history, stored.conversation_id, [stored], original)
    return turn


def _conversation(history: History, name: str, stored: Sequence[StoredTurn], original: Original) -> Iterator[PastTurn]:
    """Turns of one conversation that follow each other."""
    earlier = _turn_before(history, stored[0])
    released = _releases(history, name, [*([earlier] if earlier else []), *stored])
    for turn in stored:
        before = earlier.state if earlier and turn is stored[0] else None
        yield _past(turn, before=before, released=turn.turn_id in released, original=original(turn))


def _turn_before(history: History, first: StoredTurn) -> StoredTurn | None:
    if first.conversation_id.startswith("~"):
        return None
    earlier = takewhile(lambda turn: turn.turn_id != first.turn_id, history.turns(first.conversation_id))
    return next(iter(deque(earlier, maxlen=1)), None)


def _releases(history: History, name: str, stored: Sequence[StoredTurn]) -> frozenset[str]:
    """Ids of the turns before which a person let go of the conversation.

    Where nothing is sent no hand-off is recorded, but a standing one is in the states; none ends without a release or idle time. What
    stays unknown there is a release that the next message answers with another hand-off.
    """
    if all(turn.state.standing is None for turn in stored[:-1]):
        return frozenset()
    # idle time is told by the turns' own times, and who came back after it found the conversation begun anew already
    found = history.handoffs(name)
    idle, by_people = (
        [each.released_at for each in found if each.released_at is not None and (each.released_by == IDLE) is is_idle]
        for is_idle in (True, False)
    )

    def is_given_back(before: StoredTurn, after: StoredTurn) -> bool:
        if any(before.at <= time <= after.at for time in by_people):
            return True
        ended = before.state.standing is not None and after.state.standing is None
        return ended and not any(before.at <= time <= after.at for time in idle)

    return frozenset(after.turn_id for before, after in pairwise(stored) if is_given_back(before, after))


def _past(stored: StoredTurn, *, before: ConversationState | None, released: bool, original: str | None) -> PastTurn:
    facts = stored.facts
    try:
        return PastTurn(
            turn_id=stored.turn_id,
            conversation_id=None if stored.conversation_id.startswith("~") else stored.conversation_id,
            at=stored.at,
            text=stored.text.strip()[:MAX_CHARACTERS],  # placeholders may be longer than what they stand for
            served=Seen.from_record(stored.answer) if stored.answer else None,
            channel=Channel(facts.channel) if facts.channel else Channel.WEB,
            language=_language(stored),
            tier=Tier(facts.tier) if facts.tier else None,
            before=before,
            released=released,
            bundle=facts.bundle,
            knowledge=facts.knowledge,
            original=original,
            sent=was_sent(stored.answer),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ReplayError(
            f"turn {stored.turn_id}: its stored answer has another form than this version reads; start --since after it"
        ) from None


def _language(stored: StoredTurn) -> str | None:
    """The language that the caller gave, or of which there was no doubt: both are told alike and decide alike.

    In which script it is answered only the conversation tells.
    """
    found = stored.answer.get("classification", {}).get("language", {})
    code, answered = found.get("code"), stored.state.language or ""
    if found.get("confidence") != 1.0 or code in (None, "und"):
        return None
    return answered if answered.startswith(f"{code}-") else str(code)

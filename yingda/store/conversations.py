"""Conversations in the database: each turn is one transaction, on disk before ``remember`` returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Select, Table, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from yingda.domain.conversation import NEW, ConversationState
from yingda.domain.errors import StoreError
from yingda.domain.takeover import Reason
from yingda.store.base import Store
from yingda.store.codec import decode, decode_state, encode, encode_state, through_json
from yingda.store.records import (
    Conflict,
    Duplicate,
    Feedback,
    HandoffOpened,
    IdUsed,
    Masked,
    StoredHandoff,
    StoredTurn,
    TurnFacts,
    Unknown,
    released,
)
from yingda.store.tables import ConversationRow, FeedbackRow, HandoffRow, TurnRow

PAGE = 1000
"""Turns read at once when there may be many: between two pages no transaction is open that a writer would wait for."""

_CONVERSATIONS, _TURNS, _HANDOFFS = (cast(Table, row.__table__) for row in (ConversationRow, TurnRow, HandoffRow))
_ADD_TURN, _ADD_HANDOFF = insert(_TURNS), insert(_HANDOFFS)
_MOVED = {
    "version": bindparam("new_version"),
    "state": bindparam("new_state", type_=_CONVERSATIONS.c.state.type),
    "updated_at": bindparam("new_at", type_=_CONVERSATIONS.c.updated_at.type),
}
_KNOWN = {name: bindparam(f"new_{name}", type_=_CONVERSATIONS.c[name].type) for name in ("customer", "channel", "tier")}
_BEGIN = insert(_CONVERSATIONS).values(id=bindparam("here"), created_at=_MOVED["updated_at"], **_MOVED, **_KNOWN)
_MOVE = (
    update(_CONVERSATIONS)
    .where(_CONVERSATIONS.c.id == bindparam("here"), _CONVERSATIONS.c.version == bindparam("from_version"))
    # what a turn does not say about the customer stays as it was
    .values(**_MOVED, **{name: func.coalesce(given, _CONVERSATIONS.c[name]) for name, given in _KNOWN.items()})
)
_FACTS = tuple(field.name for field in fields(TurnFacts))


class SqlMemory:
    """A Memory (see ``yingda.store.memory``) in SQLite or PostgreSQL; threads and processes may share the database."""

    def __init__(self, store: Store, *, page: int = PAGE) -> None:
        self._store, self._page = store, page

    def recall(self, conversation_id: str) -> tuple[ConversationState, int]:
        """See Memory."""
        asked = select(ConversationRow.state, ConversationRow.version).where(ConversationRow.id == conversation_id)
        with self._store.reading() as session:
            found = session.execute(asked).one_or_none()
        return (NEW, 0) if found is None else (decode_state(found.state), found.version)

    def find(self, conversation_id: str, message_id: str) -> StoredTurn | None:
        """See Memory."""
        asked = select(TurnRow).where(TurnRow.conversation_id == conversation_id, TurnRow.message_id == message_id)
        return next(iter(self._read(asked)), None)

    def remember(self, turn: StoredTurn, *, version: int, handoff: HandoffOpened | None = None) -> None:
        """See Memory; the version is checked by the very statement that writes it."""
        values = _turn_values(turn, version + 1)
        opened = None if handoff is None else _handoff_values(turn.conversation_id, handoff)
        try:
            with self._store.writing() as session:
                _move(session, turn, values["state"], version)
                session.execute(_ADD_TURN, values)
                if opened is not None:
                    session.execute(_ADD_HANDOFF, opened)
        except (IntegrityError, Conflict) as error:
            raise self._overtaken(turn, error) from None

    def release(self, conversation_id: str, *, by: str, at: datetime) -> ConversationState:
        """See Memory."""
        asked = select(ConversationRow).where(ConversationRow.id == conversation_id).with_for_update()
        with self._store.writing() as session:
            row = session.scalars(asked).one_or_none()
            if row is None:
                raise Unknown("conversation")
            state = decode_state(row.state)
            if state.standing is None:
                return state
            state = released(state)
            row.state, row.version, row.updated_at = encode_state(state), row.version + 1, at
            standing = (HandoffRow.conversation_id == conversation_id, HandoffRow.released_at.is_(None))
            session.execute(update(HandoffRow).where(*standing).values(released_at=at, released_by=by))
        return state

    def turns(self, conversation_id: str) -> list[StoredTurn]:
        """See Memory."""
        return self._read(select(TurnRow).where(TurnRow.conversation_id == conversation_id).order_by(TurnRow.version))

    def turn(self, turn_id: str) -> StoredTurn | None:
        """See Memory."""
        return next(iter(self._read(select(TurnRow).where(TurnRow.id == turn_id))), None)

    def turns_since(self, since: datetime) -> Iterator[StoredTurn]:
        """See Memory; a page at a time, so that 100,000 turns need the room of a thousand and hold up nobody."""
        ordered = select(TurnRow).order_by(TurnRow.at, TurnRow.id).limit(self._page)
        page = self._read(ordered.where(TurnRow.at >= since))
        while page:
            yield from page
            last = page[-1]
            page = self._read(ordered.where(tuple_(TurnRow.at, TurnRow.id) > (last.at, last.turn_id)))

    def handoffs(self, conversation_id: str) -> list[StoredHandoff]:
        """See Memory."""
        asked = select(HandoffRow).where(HandoffRow.conversation_id == conversation_id).order_by(HandoffRow.id)
        with self._store.reading() as session:
            return [_handoff(row) for row in session.scalars(asked)]

    def add_feedback(self, feedback: Feedback) -> bool:
        """See Memory."""
        key = (feedback.answer_id, feedback.digest)
        try:
            with self._store.writing() as session:
                if session.get(FeedbackRow, key) is not None:
                    return False
                session.add(FeedbackRow(**_feedback_values(feedback)))
        except IntegrityError:
            if self.turn(feedback.answer_id) is None:
                raise Unknown("answer") from None
            return False  # another worker stored the same at the same moment
        return True

    def feedback(self, answer_id: str) -> list[Feedback]:
        """See Memory."""
        asked = select(FeedbackRow).where(FeedbackRow.answer_id == answer_id).order_by(FeedbackRow.at, FeedbackRow.digest)
        with self._store.reading() as session:
            return [_feedback(row) for row in session.scalars(asked)]

    def forget_before(self, when: datetime) -> int:
        """See Memory."""
        return self._delete(ConversationRow.updated_at < when)

    def erase_customer(self, customer: str) -> int:
        """See Memory."""
        return self._delete(ConversationRow.id.in_(select(TurnRow.conversation_id).where(TurnRow.customer == customer)))

    def _read(self, asked: Select[TurnRow]) -> list[StoredTurn]:
        with self._store.reading() as session:
            return [_turn(row) for row in session.scalars(asked)]

    def _overtaken(self, turn: StoredTurn, error: IntegrityError | Conflict) -> StoreError:
        """Why ``turn`` could not be written, by what is there now."""
        stored = None if turn.message_id is None else self.find(turn.conversation_id, turn.message_id)
        if stored is not None:
            return Duplicate(stored)
        if self.turn(turn.turn_id) is not None:
            return IdUsed()
        return error if isinstance(error, Conflict) else Conflict()  # two workers began the same conversation

    def _delete(self, which: ColumnElement[bool]) -> int:
        """Turns, hand-offs and feedback go with their conversation, by its foreign keys."""
        with self._store.writing() as session:
            return cast(CursorResult[Any], session.execute(delete(_CONVERSATIONS).where(which))).rowcount


def _move(session: Session, turn: StoredTurn, state: Mapping[str, Any], version: int) -> None:
    """Move the conversation on to the state after ``turn``; raises Conflict, or IntegrityError where two begin it."""
    facts = turn.facts
    moved = {"new_version": version + 1, "new_state": state, "new_at": turn.at}
    known = {"new_customer": facts.customer, "new_channel": facts.channel, "new_tier": facts.tier}
    values = {**moved, **known, "here": turn.conversation_id}
    if version == 0:
        session.execute(_BEGIN, values)
    elif cast(CursorResult[Any], session.execute(_MOVE, {**values, "from_version": version})).rowcount != 1:
        raise Conflict


def _turn_values(turn: StoredTurn, version: int) -> dict[str, Any]:
    offset = turn.at.utcoffset()
    return {
        "id": turn.turn_id,
        "conversation_id": turn.conversation_id,
        "version": version,
        "message_id": turn.message_id,
        "digest": turn.digest,
        "at": turn.at,
        "utc_offset_s": 0 if offset is None else int(offset.total_seconds()),
        "text": turn.text,
        "state": encode_state(turn.state),
        "answer": through_json(turn.answer),
        "sealed": None if turn.sealed is None else through_json(turn.sealed),
        **encode(turn.facts),
    }


def _turn(row: TurnRow) -> StoredTurn:
    return StoredTurn(
        turn_id=row.id,
        conversation_id=row.conversation_id,
        message_id=row.message_id,
        digest=row.digest,
        at=row.at.astimezone(timezone(timedelta(seconds=row.utc_offset_s))),
        text=Masked(row.text),
        state=decode_state(row.state),
        answer=row.answer,
        facts=decode(TurnFacts, {name: getattr(row, name) for name in _FACTS}),
        sealed=row.sealed,
    )


def _handoff_values(conversation_id: str, handoff: HandoffOpened) -> dict[str, Any]:
    return {
        "conversation_id": conversation_id,
        "reasons": encode(handoff.reasons),
        "package": through_json(handoff.package),
        "opened_at": handoff.at,
    }


def _handoff(row: HandoffRow) -> StoredHandoff:
    opened = HandoffOpened(decode(tuple[Reason, ...], row.reasons), row.opened_at, row.package)
    return StoredHandoff(row.conversation_id, opened, row.released_at, row.released_by)


def _feedback_values(feedback: Feedback) -> dict[str, Any]:
    values = {field.name: getattr(feedback, field.name) for field in fields(feedback)}
    return {**values, "reasons": list(feedback.reasons)}


def _feedback(row: FeedbackRow) -> Feedback:
    stored = {field.name: getattr(row, field.name) for field in fields(Feedback)}
    return Feedback(**{**stored, "reasons": tuple(row.reasons)})

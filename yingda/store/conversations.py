"""Conversations in the database: each turn is one transaction, on disk before ``remember`` returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from sqlite3 import IntegrityError as SqliteIntegrityError
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Dialect,
    Select,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ValuesBase

from yingda.domain.conversation import ConversationState
from yingda.domain.errors import StoreError
from yingda.store.base import Store
from yingda.store.codec import decode_state, encode_state
from yingda.store.failures import failures, is_away
from yingda.store.health import StoreHealth
from yingda.store.looking import look_up
from yingda.store.memory import Entry, Outcome, Recalled, SoFar, Write
from yingda.store.one_by_one import OneByOne
from yingda.store.prepared import Prepared
from yingda.store.records import (
    IDLE,
    Conflict,
    Duplicate,
    Feedback,
    IdUsed,
    Reused,
    StoredHandoff,
    StoredTurn,
    Unknown,
    released,
)
from yingda.store.rows import feedback_of, feedback_values, handoff_of, handoff_values, turn_of, turn_values
from yingda.store.tables import ConversationRow, FeedbackRow, HandoffRow, TurnRow

PAGE = 1000
"""Turns read at once when there may be many: between two pages no transaction is open that a writer would wait for."""

_CONVERSATIONS, _TURNS, _HANDOFFS, _FEEDBACK = (cast(Table, row.__table__) for row in (ConversationRow, TurnRow, HandoffRow, FeedbackRow))
_ADD_TURN, _ADD_HANDOFF, _ADD_FEEDBACK = insert(_TURNS), insert(_HANDOFFS), insert(_FEEDBACK)
_TURN = select(_TURNS)
_TURN_OF_ID = _TURN.where(_TURNS.c.id == bindparam("turn"))
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
_CLOSE = (
    update(_HANDOFFS)
    .where(
        _HANDOFFS.c.conversation_id == bindparam("here"),
        _HANDOFFS.c.released_at.is_(None),
        _HANDOFFS.c.opened_at <= bindparam("idle_since", type_=_HANDOFFS.c.opened_at.type),
    )
    .values(released_at=bindparam("new_at", type_=_HANDOFFS.c.released_at.type), released_by=bindparam("by"))
)
_ANSWER = select(_TURNS.c.id).where(_TURNS.c.id == bindparam("turn"))
_SAME_FEEDBACK = select(_FEEDBACK).where(_FEEDBACK.c.answer_id == bindparam("answer"), _FEEDBACK.c.digest == bindparam("digest"))
_ANYTHING = select(literal(1))


class SqlMemory(OneByOne):
    """A Memory (see ``yingda.store.memory``) in SQLite or PostgreSQL; threads and processes may share the database."""

    def __init__(self, store: Store, *, page: int = PAGE) -> None:
        self._store, self._page = store, page
        dialect = store.engine.dialect
        self._prepared = _prepared(dialect) if dialect.name == "sqlite" else None

    @property
    def store(self) -> Store:
        """The database it is in."""
        return self._store

    def recall_all(self, asked: Sequence[tuple[str, str | None]]) -> list[Recalled]:
        """See Memory."""
        with self._store.looking() as connection:
            found = look_up(connection, asked)
        return [self._recalled(*each) for each in found]

    def remember_all(self, writes: Sequence[Write]) -> list[StoreError | None]:
        """See Memory."""
        return [outcome if isinstance(outcome, StoreError) else None for outcome in self.write_all(writes)]

    def write_all(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Write all that can be written in one transaction; what became of each, in order.

        Raises StoreError where nothing can be written at all. No entries is a way to ask whether something could be.
        """
        outcomes: list[Outcome] = [True] * len(entries)
        rows: list[tuple[int, _Rows]] = []
        opinions: list[tuple[int, Feedback]] = []
        for place, entry in enumerate(entries):
            if isinstance(entry, Feedback):
                opinions.append((place, entry))
                continue
            try:
                rows.append((place, _rows(entry)))
            except StoreError as error:
                outcomes[place] = error
        # by name, so that two who write the same conversations never wait for each other in a circle
        rows.sort(key=lambda row: row[1].write.turn.conversation_id)
        try:
            if self._prepared is not None and rows and not opinions:
                self._write_prepared(self._prepared, [each for _, each in rows])
                return outcomes
            with self._store.changing() as connection:
                if not entries:
                    connection.execute(_ANYTHING)  # PostgreSQL's driver begins no transaction for nothing
                _write_rows(_executing(connection), [each for _, each in rows])
                for place, feedback in opinions:
                    outcomes[place] = _write_feedback(connection, feedback)
        except (IntegrityError, SqliteIntegrityError):
            self._write_one_by_one(rows, opinions, outcomes)
        except StoreError as error:
            if is_away(error):
                raise
            self._write_one_by_one(rows, opinions, outcomes)
        return outcomes

    def _write_prepared(self, prepared: Mapping[ValuesBase, Prepared], rows: Sequence[_Rows]) -> None:
        with self._store.plainly() as connection:
            _write_rows(lambda statement, values: prepared[statement].run(connection, prepared[statement].bind(values)), rows)

    def _write_one_by_one(
        self, rows: Sequence[tuple[int, _Rows]], opinions: Sequence[tuple[int, Feedback]], outcomes: list[Outcome]
    ) -> None:
        """All again, each in a savepoint of its own, because one of them cannot be written."""
        with self._store.changing() as connection:
            for place, each in rows:
                outcomes[place] = True
                try:
                    with failures(self._store.url), connection.begin_nested():
                        _write_rows(_executing(connection), [each])
                except (IntegrityError, Conflict) as error:
                    outcomes[place] = _overtaken(connection, each.write.turn, error)
                except StoreError as error:
                    if is_away(error):
                        raise
                    outcomes[place] = error
            for place, feedback in opinions:
                outcomes[place] = _write_feedback(connection, feedback)

    def so_far(self, conversation_id: str) -> SoFar:
        """See Memory."""
        return SoFar(self.turns(conversation_id), self.handoffs(conversation_id))

    def holds(self, _: str, /) -> bool:
        """See Memory; what is not on the disk is not known here."""
        return True

    def health(self) -> StoreHealth | None:
        """See Memory."""
        return None

    def close(self) -> None:
        """See Memory."""
        self._store.close()

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
        return self._read(_TURN.where(_TURNS.c.conversation_id == conversation_id).order_by(_TURNS.c.version))

    def turn(self, turn_id: str) -> StoredTurn | None:
        """See Memory."""
        with self._store.looking() as connection:
            found = connection.execute(_TURN_OF_ID, {"turn": turn_id}).one_or_none()
        return None if found is None else turn_of(found)

    def turns_since(self, since: datetime) -> Iterator[StoredTurn]:
        """See Memory; a page at a time, so that 100,000 turns need the room of a thousand and hold up nobody."""
        ordered = _TURN.order_by(TurnRow.at, TurnRow.id).limit(self._page)
        page = self._read(ordered.where(TurnRow.at >= since))
        while page:
            yield from page
            last = page[-1]
            page = self._read(ordered.where(tuple_(TurnRow.at, TurnRow.id) > (last.at, last.turn_id)))

    def handoffs(self, conversation_id: str) -> list[StoredHandoff]:
        """See Memory."""
        asked = select(HandoffRow).where(HandoffRow.conversation_id == conversation_id).order_by(HandoffRow.id)
        with self._store.reading() as session:
            return [handoff_of(row) for row in session.scalars(asked)]

    def add_feedback(self, feedback: Feedback) -> bool:
        """See Memory."""
        (outcome,) = self.write_all([feedback])
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome

    def feedback(self, answer_id: str) -> list[Feedback]:
        """See Memory."""
        asked = select(FeedbackRow).where(FeedbackRow.answer_id == answer_id).order_by(FeedbackRow.at, FeedbackRow.digest)
        with self._store.reading() as session:
            return [feedback_of(row) for row in session.scalars(asked)]

    def forget_before(self, when: datetime) -> int:
        """See Memory."""
        return self._delete(ConversationRow.updated_at < when)

    def erase_customer(self, customer: str) -> int:
        """See Memory."""
        return self._delete(ConversationRow.id.in_(select(TurnRow.conversation_id).where(TurnRow.customer == customer)))

    def _read(self, asked: Select[*tuple[Any, ...]]) -> list[StoredTurn]:
        with self._store.looking() as connection:
            return [turn_of(row) for row in connection.execute(asked)]

    def _recalled(self, state: Mapping[str, Any] | None, version: int, turn_id: str | None) -> Recalled:
        if state is None:
            return Recalled()
        return Recalled(decode_state(state), version, self.turn(turn_id) if turn_id else None)

    def _delete(self, which: ColumnElement[bool]) -> int:
        """Turns, hand-offs and feedback go with their conversation, by its foreign keys."""
        with self._store.writing() as session:
            return cast(CursorResult[Any], session.execute(delete(_CONVERSATIONS).where(which))).rowcount


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is written for a turn, ready to be bound."""

    write: Write
    moved: Mapping[str, Any]
    turn: Mapping[str, Any]
    handoff: Mapping[str, Any] | None
    closed: Mapping[str, Any] | None


def _rows(write: Write) -> _Rows:
    """Raises StoreError for what is no JSON."""
    turn = write.turn
    facts, values = turn.facts, turn_values(turn, write.version + 1)
    moved = {"new_version": write.version + 1, "new_state": values["state"], "new_at": turn.at, "from_version": write.version}
    known = {"new_customer": facts.customer, "new_channel": facts.channel, "new_tier": facts.tier}
    handoff = None if write.handoff is None else handoff_values(turn.conversation_id, write.handoff)
    idle = {"here": turn.conversation_id, "idle_since": write.idle_since, "new_at": turn.at, "by": IDLE}
    closed = None if write.idle_since is None else idle
    return _Rows(write, {**moved, **known, "here": turn.conversation_id}, values, handoff, closed)


Execute = Callable[[ValuesBase, Sequence[Mapping[str, Any]]], int]
"""Runs a statement with many rows; how many were written or changed."""


def _executing(connection: Connection) -> Execute:
    return lambda statement, rows: connection.execute(statement, rows).rowcount


def _prepared(dialect: Dialect) -> Mapping[ValuesBase, Prepared]:
    turn = [column.name for column in _TURNS.c]
    handoff = ["conversation_id", "reasons", "package", "opened_at"]
    known = {_BEGIN: None, _MOVE: None, _CLOSE: None, _ADD_TURN: turn, _ADD_HANDOFF: handoff}
    return {statement: Prepared(statement, dialect, names) for statement, names in known.items()}


def _write_rows(execute: Execute, rows: Sequence[_Rows]) -> None:
    """Move the conversations on and add turns and hand-offs; raises Conflict or IntegrityError when one of them cannot be written."""
    begun = [row.moved for row in rows if row.write.version == 0]
    moved = [row.moved for row in rows if row.write.version != 0]
    if begun:
        execute(_BEGIN, [{name: value for name, value in row.items() if name != "from_version"} for row in begun])
    if moved and execute(_MOVE, moved) != len(moved):
        raise Conflict
    if rows:
        execute(_ADD_TURN, [row.turn for row in rows])
    if closed := [row.closed for row in rows if row.closed is not None]:
        execute(_CLOSE, closed)
    if opened := [row.handoff for row in rows if row.handoff is not None]:
        execute(_ADD_HANDOFF, opened)


def _write_feedback(connection: Connection, feedback: Feedback) -> Outcome:
    """True when it was added, False when the same was there, Reused when other feedback was, Unknown when there is no such answer."""
    key = {"answer": feedback.answer_id, "digest": feedback.digest}
    if (stored := connection.execute(_SAME_FEEDBACK, key).first()) is not None:
        return _again(feedback, stored)
    if connection.execute(_ANSWER, {"turn": feedback.answer_id}).first() is None:
        return Unknown("answer")
    try:
        with connection.begin_nested():
            connection.execute(_ADD_FEEDBACK, feedback_values(feedback))
    except IntegrityError:
        return _again(feedback, connection.execute(_SAME_FEEDBACK, key).one())  # another worker stored it at the same moment
    return True


def _again(feedback: Feedback, stored: Any) -> Outcome:
    return False if feedback.says_the_same(feedback_of(stored)) else Reused()


def _overtaken(connection: Connection, turn: StoredTurn, error: IntegrityError | Conflict) -> StoreError:
    """Why ``turn`` could not be written, by what is there now."""
    if turn.message_id is not None:
        asked = _TURN.where(_TURNS.c.conversation_id == turn.conversation_id, _TURNS.c.message_id == turn.message_id)
        if (stored := connection.execute(asked).one_or_none()) is not None:
            return Duplicate(turn_of(stored))
    if connection.execute(_ANSWER, {"turn": turn.turn_id}).first() is not None:
        return IdUsed()
    return error if isinstance(error, Conflict) else Conflict()  # two workers began the same conversation

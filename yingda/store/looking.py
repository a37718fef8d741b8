"""How conversations stand, looked up as cheaply as it can be: each message begins with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Table, and_, bindparam, null, select, tuple_

from yingda.store.tables import ConversationRow, TurnRow

Look = tuple[Mapping[str, Any] | None, int, str | None]
"""State and version of a conversation, None and 0 where there is none, and the id of the turn that answered the message."""

_NOTHING: Look = (None, 0, None)
_CONVERSATIONS, _TURNS = (cast(Table, row.__table__) for row in (ConversationRow, TurnRow))
_HERE = _CONVERSATIONS.c.id == bindparam("here")
_ANSWERED = and_(_TURNS.c.conversation_id == _CONVERSATIONS.c.id, _TURNS.c.message_id == bindparam("message"))
_LOOK = select(_CONVERSATIONS.c.state, _CONVERSATIONS.c.version, null().label("id")).where(_HERE)
_LOOK_FOR = (
    select(_CONVERSATIONS.c.state, _CONVERSATIONS.c.version, _TURNS.c.id)
    .select_from(_CONVERSATIONS.outerjoin(_TURNS, _ANSWERED))
    .where(_HERE)
)
_LOOK_ALL = select(_CONVERSATIONS.c.id, _CONVERSATIONS.c.state, _CONVERSATIONS.c.version).where(
    _CONVERSATIONS.c.id.in_(bindparam("here", expanding=True))
)
_FIND_ALL = select(_TURNS.c.conversation_id, _TURNS.c.message_id, _TURNS.c.id).where(
    tuple_(_TURNS.c.conversation_id, _TURNS.c.message_id).in_(bindparam("keys", expanding=True))
)


def _look_at_one(connection: Connection, name: str, message_id: str | None) -> list[Look]:
    """State, version and the id of the turn that answered the message."""
    asked = _LOOK if message_id is None else _LOOK_FOR
    found = connection.execute(asked, {"here": name, "message": message_id} if message_id else {"here": name}).one_or_none()
    return [_NOTHING if found is None else (found.state, found.version, found.id)]


def look_up(connection: Connection, asked: Sequence[tuple[str, str | None]]) -> list[Look]:
    """How each conversation stands, and which turn answered the message; PostgreSQL is asked twice for any number."""
    if not asked:
        return []
    if len(asked) == 1:
        return _look_at_one(connection, *asked[0])
    if connection.dialect.name == "sqlite":  # which asks no server, and would search all turns for a list of pairs
        return [found for name, message in asked for found in _look_at_one(connection, name, message)]
    keys = [(name, message) for name, message in asked if message]
    known = {row.id: row for row in connection.execute(_LOOK_ALL, {"here": sorted({name for name, _ in asked})})}
    found = connection.execute(_FIND_ALL, {"keys": keys}) if keys else ()
    answered = {(row.conversation_id, row.message_id): row.id for row in found}
    return [
        (known[name].state, known[name].version, answered.get((name, message))) if name in known else _NOTHING for name, message in asked
    ]

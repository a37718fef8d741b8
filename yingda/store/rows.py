"""Rows of the tables of conversations, from plain records and back."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta, timezone
from typing import Any

from yingda.domain.takeover import Reason
from yingda.store.codec import as_json, decode, decode_state, encode, encode_state
from yingda.store.records import Feedback, HandoffOpened, Masked, StoredHandoff, StoredTurn, TurnFacts
from yingda.store.tables import HandoffRow

_FACTS = tuple(field.name for field in fields(TurnFacts))


def turn_values(turn: StoredTurn, version: int) -> dict[str, Any]:
    """What the row of ``turn`` holds, which leaves its conversation at ``version``; raises StoreError for what is no JSON."""
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
        "state": as_json(encode_state(turn.state)),
        "answer": as_json(turn.answer),
        "sealed": None if turn.sealed is None else as_json(turn.sealed),
        **encode(turn.facts),
    }


def turn_of(row: Any) -> StoredTurn:
    """The turn that ``row`` holds."""
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


def handoff_values(conversation_id: str, handoff: HandoffOpened) -> dict[str, Any]:
    """What the row of a hand-off holds as it is opened; raises StoreError for what is no JSON."""
    return {
        "conversation_id": conversation_id,
        "reasons": encode(handoff.reasons),
        "package": as_json(handoff.package),
        "opened_at": handoff.at,
    }


def handoff_of(row: HandoffRow) -> StoredHandoff:
    """The hand-off that ``row`` holds."""
    opened = HandoffOpened(decode(tuple[Reason, ...], row.reasons), row.opened_at, row.package)
    return StoredHandoff(row.conversation_id, opened, row.released_at, row.released_by)


def feedback_values(feedback: Feedback) -> dict[str, Any]:
    """What the row of ``feedback`` holds."""
    values = {field.name: getattr(feedback, field.name) for field in fields(feedback)}
    return {**values, "reasons": list(feedback.reasons)}


def feedback_of(row: Any) -> Feedback:
    """The feedback that ``row`` holds."""
    stored = {field.name: getattr(row, field.name) for field in fields(Feedback)}
    return Feedback(**{**stored, "reasons": tuple(row.reasons)})

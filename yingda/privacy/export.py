"""Everything that is kept about a person, as one document (PIPL, article 45: access and copies)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from yingda.privacy.person import Person
from yingda.privacy.stored import StoredData
from yingda.store.codec import encode
from yingda.store.memory import Memory
from yingda.store.originals import opened
from yingda.store.records import StoredHandoff, StoredTurn
from yingda.store.vault import Vault

FORMAT = 1


def export(person: Person, memory: Memory, stored: StoredData, vault: Vault | None, *, now: datetime) -> dict[str, Any]:
    """The turns, hand-offs and feedback of ``person``, with originals where ``vault`` opens them; raises StoreError.

    Turns of others in the same conversations are left out. Nothing of an original is told when any of them cannot be opened.
    """
    conversations = [_conversation(name, person, memory, vault) for name in stored.conversations_of(person)]
    return {
        "format": FORMAT,
        "exported_at": now.isoformat(timespec="seconds"),
        "customer": person.customer,
        "customer_hash": person.hash,
        "originals": vault is not None,
        "conversations": conversations,
    }


def _conversation(name: str, person: Person, memory: Memory, vault: Vault | None) -> dict[str, Any]:
    turns = [turn for turn in memory.turns(name) if turn.facts.customer in (None, person.hash)]
    return {
        "conversation_id": name,
        "turns": [_turn(turn, memory, vault) for turn in turns],
        "handoffs": [_handoff(handoff) for handoff in memory.handoffs(name)],
    }


def _turn(turn: StoredTurn, memory: Memory, vault: Vault | None) -> dict[str, Any]:
    return {
        "answer_id": turn.turn_id,
        "message_id": turn.message_id,
        "at": turn.at.isoformat(),
        "text": turn.text,
        "original": opened(turn, vault) or None,
        "facts": encode(turn.facts),
        "answer": dict(turn.answer),
        "state": encode(turn.state),
        "feedback": [encode(each) for each in memory.feedback(turn.turn_id)],
    }


def _handoff(handoff: StoredHandoff) -> dict[str, Any]:
    return {
        "reasons": encode(handoff.opened.reasons),
        "opened_at": handoff.opened.at.isoformat(),
        "released_at": handoff.released_at.isoformat() if handoff.released_at else None,
        "released_by": handoff.released_by,
        "package": dict(handoff.opened.package),
    }

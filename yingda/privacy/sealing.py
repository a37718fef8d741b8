"""Turns as they are stored, with their originals sealed beside the masked text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from yingda.dialogue import Record, Request, Told
from yingda.domain.decision import Answer
from yingda.store.records import StoredTurn
from yingda.store.vault import CUSTOMER, TEXT, Vault


def sealing(record: Record, vault: Vault | None) -> Record:
    """``record``, whose turns carry the message and the customer's id sealed; ``record`` itself where there is no vault."""
    if vault is None:
        return record

    def sealed(engine: Any, request: Request, answer: Answer, told: Told, conversation_id: str) -> StoredTurn:
        turn, customer = record(engine, request, answer, told, conversation_id), request.message.customer
        values = {TEXT: request.message.text, **({CUSTOMER: customer.id} if customer else {})}
        return replace(turn, sealed=vault.seal(turn.turn_id, values))

    return sealed

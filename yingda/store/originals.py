"""Sealed originals in the database: sealing what is remembered, and sealing again after a change of keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import CursorResult, select, update

from yingda.store.base import Store
from yingda.store.records import StoredTurn
from yingda.store.tables import TurnRow
from yingda.store.vault import Vault

PAGE = 500
"""Turns sealed again in one transaction; a writer of turns never waits for more."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """Sealed turns that were read, and how many of them the newest key sealed again."""

    read: int
    sealed_again: int


def opened(turn: StoredTurn, vault: Vault | None) -> dict[str, str]:
    """The originals of ``turn`` by field; empty where none are kept or there is no vault. Raises VaultError."""
    return vault.open(turn.turn_id, turn.sealed) if vault is not None and turn.sealed else {}


def rotate(store: Store, vault: Vault, *, page: int = PAGE) -> Rotation:
    """Seal with the newest key what older ones sealed, a page a transaction; afterwards the older keys may be thrown away.

    It may be killed anywhere and begun again: what is done already is passed over. Raises VaultError when an original cannot be
    opened; the pages before it stay done.
    """
    read, again, last = 0, 0, ""
    while True:
        asked = select(TurnRow.id, TurnRow.sealed).where(TurnRow.id > last, TurnRow.sealed.is_not(None)).order_by(TurnRow.id).limit(page)
        with store.writing() as session:
            rows = session.execute(asked).all()
            for id_, sealed in rows:
                if not vault.is_current(sealed):
                    fresh = vault.seal(id_, vault.open(id_, sealed))
                    # erased meanwhile: nothing is written, nothing counted
                    change = update(TurnRow).where(TurnRow.id == id_).values(sealed=fresh)
                    again += cast(CursorResult[Any], session.execute(change)).rowcount
        if not rows:
            return Rotation(read, again)
        read, last = read + len(rows), rows[-1].id

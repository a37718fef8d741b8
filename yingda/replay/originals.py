"""What customers wrote, from the vault, so that a message is decided as it was then; nothing of it is ever shown."""

from __future__ import annotations

from yingda.store.originals import opened
from yingda.store.records import StoredTurn
from yingda.store.vault import TEXT, Vault, VaultError
from yingda.text.masking import CLOSE, OPEN


def is_masked(text: str) -> bool:
    """True where personal data was taken out of a stored message (or the customer wrote such brackets)."""
    return OPEN in text and CLOSE in text


class Originals:
    """Originals of masked messages that ``vault`` opens; counts what it opened, and what its keys could not open.

    Only what was masked is opened. What cannot be opened (a key that is not here, an altered field) is as if it were not kept.
    """

    def __init__(self, vault: Vault | None) -> None:
        self._vault = vault
        self.opened = 0
        self.unreadable = 0

    def of(self, stored: StoredTurn) -> str | None:
        """What the customer wrote; None where nothing was taken out of it, or it is not kept."""
        if not is_masked(stored.text):
            return None
        try:
            found = opened(stored, self._vault).get(TEXT)
        except VaultError:
            self.unreadable += 1
            return None
        self.opened += found is not None
        return found

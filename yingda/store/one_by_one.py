"""The calls of a Memory for one message, for memories that look up and write several at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from yingda.domain.conversation import ConversationState
from yingda.domain.errors import StoreError
from yingda.store.memory import Recalled, Write
from yingda.store.records import HandoffOpened, StoredTurn


class OneByOne(ABC):
    """What is asked for one message is asked for a list of one; see Memory for what each call promises."""

    @abstractmethod
    def recall_all(self, asked: Sequence[tuple[str, str | None]]) -> list[Recalled]:
        """See Memory."""

    @abstractmethod
    def remember_all(self, writes: Sequence[Write]) -> list[StoreError | None]:
        """See Memory."""

    def recall(self, conversation_id: str) -> tuple[ConversationState, int]:
        """See Memory."""
        (found,) = self.recall_all([(conversation_id, None)])
        return found.state, found.version

    def find(self, conversation_id: str, message_id: str) -> StoredTurn | None:
        """See Memory."""
        return self.recall_all([(conversation_id, message_id)])[0].turn

    def remember(self, turn: StoredTurn, *, version: int, handoff: HandoffOpened | None = None) -> None:
        """See Memory."""
        (error,) = self.remember_all([Write(turn, version, handoff)])
        if error is not None:
            raise error

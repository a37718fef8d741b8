"""What is kept about conversations: turns, hand-offs and feedback, as plain records that know no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Any, NewType

from yingda.domain.conversation import ConversationState
from yingda.domain.conversation import released as released
from yingda.domain.errors import StoreError
from yingda.domain.takeover import Reason

Masked = NewType("Masked", str)
"""Text that went through ``yingda.text.masking.mask``; the store takes no other, so that no personal data can reach it by accident."""


@dataclass(frozen=True, slots=True)
class TurnFacts:
    """What queries ask of a decision, beside the whole of it in the answer's JSON.

    ``confidence`` is the calibrated probability of the best entry, in [0, 1]. ``release`` is the model's version, ``bundle``
    the SHA-256 it was verified with, ``knowledge`` the version of entries and rules that decided. ``customer`` is the hash
    of the customer's id (``hash_customer``), never the id.
    """

    outcome: str
    intent: str
    category: str
    sentiment: str
    faq: str | None = None
    confidence: float | None = None
    reasons: tuple[Reason, ...] = ()
    arm: str | None = None
    release: str | None = None
    bundle: str | None = None
    knowledge: str | None = None
    channel: str | None = None
    tier: str | None = None
    customer: str | None = None


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """One message and what was decided about it; never changed once written.

    ``turn_id`` (a ULID) is the ``answer_id`` callers know. ``digest`` is the SHA-256 of the request. ``state`` is the
    conversation after the turn, ``answer`` the JSON as it was served. ``sealed`` holds the originals, encrypted (see
    ``yingda.store.vault``); None where none are kept.
    """

    turn_id: str
    conversation_id: str
    message_id: str | None
    digest: str
    at: datetime
    text: Masked
    state: ConversationState
    answer: Mapping[str, Any]
    facts: TurnFacts
    sealed: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class HandoffOpened:
    """A person was called: why, when, and the package the agent sees (masked)."""

    reasons: tuple[Reason, ...]
    at: datetime
    package: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class StoredHandoff:
    """A hand-off of a conversation; ``released_at`` and ``released_by`` are None while it stands."""

    conversation_id: str
    opened: HandoffOpened
    released_at: datetime | None = None
    released_by: str | None = None


IDLE = "idle"
"""Who releases the hand-offs of a conversation that begins anew after the idle time."""


def closed_idle(handoffs: Sequence[StoredHandoff], *, since: datetime | None, at: datetime) -> list[StoredHandoff]:
    """``handoffs``, those that stood ``since`` then released at the time ``at``; None releases none."""
    if since is None:
        return list(handoffs)
    stood = (one.released_at is None and one.opened.at <= since for one in handoffs)
    return [replace(one, released_at=at, released_by=IDLE) if closes else one for one, closes in zip(handoffs, stood, strict=True)]


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody thought of an answer: ``rating`` 1 to 5, or ``helpful``; corrections become labels.

    ``digest`` is the SHA-256 of the request, or of its ``message_id`` where it has one: what is sent again counts once.
    """

    answer_id: str
    digest: str
    at: datetime
    rating: int | None = None
    helpful: bool | None = None
    reasons: tuple[str, ...] = ()
    correct_intent: str | None = None
    correct_faq: str | None = None
    comment: Masked | None = None

    def says_the_same(self, other: Feedback) -> bool:
        """True when ``other`` differs in its time at most."""
        return replace(self, at=other.at) == other


class Conflict(StoreError):  # noqa: N818 - named by what happened
    """Another turn of the conversation was written meanwhile: recall it and decide again."""

    def __init__(self, detail: str = "the conversation has moved on; recall it and decide again") -> None:
        super().__init__(detail, code="store_conflict")


class Duplicate(StoreError):  # noqa: N818
    """The message is stored already; ``stored`` is what was decided then."""

    def __init__(self, stored: StoredTurn) -> None:
        super().__init__("this message was answered before; serve the stored answer", code="store_duplicate")
        self.stored = stored


class IdUsed(StoreError):  # noqa: N818
    """A turn's id was used before."""

    def __init__(self) -> None:
        super().__init__("a turn of this id is stored already; give each turn its own ULID", code="store_id_used")


class Reused(StoreError):  # noqa: N818
    """Other feedback on the same answer came with this ``message_id``."""

    def __init__(self) -> None:
        super().__init__("this message_id came with other feedback before; give each feedback its own", code="store_reused")


class Unknown(StoreError):  # noqa: N818
    """Nothing of that name is stored."""

    def __init__(self, what: str) -> None:
        super().__init__(f"no such {what} is stored; check its id", code="store_unknown")


def hash_customer(customer_id: str, *, salt: str = "") -> str:
    """SHA-256 (hexadecimal) of a customer's id; a secret ``salt`` keeps short ids, such as phone numbers, from being guessed."""
    return sha256(f"{salt}\x00{customer_id}".encode(errors="surrogatepass")).hexdigest()

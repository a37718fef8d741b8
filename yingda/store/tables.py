"""Tables of conversations: what was said (masked), decided, handed over and thought of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from yingda.store.base import Base, Identifier, Json, UtcDateTime


def _conversation() -> ForeignKey:
    return ForeignKey("conversations.id", ondelete="CASCADE")


class ConversationRow(Base):
    """A conversation as its last turn left it; ``version`` counts turns and releases, so that no two writers overtake each other."""

    __tablename__ = "conversations"

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    version: Mapped[int]
    state: Mapped[dict[str, Any]] = mapped_column(Json)
    customer: Mapped[str | None] = mapped_column(Identifier)
    channel: Mapped[str | None]
    tier: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class TurnRow(Base):
    """A turn; ``version`` is the conversation's after it, ``utc_offset_s`` the offset that ``at`` was given with.

    ``sealed`` holds the originals, encrypted (see ``yingda.store.vault``); null where none are kept.
    """

    __tablename__ = "turns"
    __table_args__ = (
        UniqueConstraint("conversation_id", "message_id"),
        UniqueConstraint("conversation_id", "version"),
        Index(None, "at", "id"),
    )

    id: Mapped[str] = mapped_column(Identifier, primary_key=True)
    conversation_id: Mapped[str] = mapped_column(Identifier, _conversation())
    version: Mapped[int]
    message_id: Mapped[str | None] = mapped_column(Identifier)
    digest: Mapped[str]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    utc_offset_s: Mapped[int]
    text: Mapped[str]
    state: Mapped[dict[str, Any]] = mapped_column(Json)
    answer: Mapped[dict[str, Any]] = mapped_column(Json)
    outcome: Mapped[str]
    intent: Mapped[str]
    category: Mapped[str]
    sentiment: Mapped[str]
    faq: Mapped[str | None]
    confidence: Mapped[float | None]
    reasons: Mapped[list[str]] = mapped_column(Json)
    arm: Mapped[str | None]
    release: Mapped[str | None]
    bundle: Mapped[str | None]
    knowledge: Mapped[str | None]
    channel: Mapped[str | None]
    tier: Mapped[str | None]
    customer: Mapped[str | None] = mapped_column(Identifier, index=True)
    sealed: Mapped[dict[str, Any] | None] = mapped_column(Json)


class HandoffRow(Base):
    """A call for a person; it stands until ``released_at``."""

    __tablename__ = "handoffs"

    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(Identifier, _conversation(), index=True)
    reasons: Mapped[list[str]] = mapped_column(Json)
    package: Mapped[dict[str, Any]] = mapped_column(Json)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    released_by: Mapped[str | None]


class FeedbackRow(Base):
    """Feedback on an answer; the digest of its request makes sending it again harmless."""

    __tablename__ = "feedback"
    __table_args__ = (CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),)

    answer_id: Mapped[str] = mapped_column(Identifier, ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    rating: Mapped[int | None]
    helpful: Mapped[bool | None]
    reasons: Mapped[list[str]] = mapped_column(Json)
    correct_intent: Mapped[str | None]
    correct_faq: Mapped[str | None]
    comment: Mapped[str | None]

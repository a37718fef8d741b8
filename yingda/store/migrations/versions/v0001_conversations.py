"""Conversations, turns, hand-offs and feedback."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables of conversations."""
    _add_conversations()
    _add_turns()
    _add_handoffs()
    _add_feedback()


def downgrade() -> None:
    """Take them away, with all that was said."""
    for table in ("feedback", "handoffs", "turns", "conversations"):
        op.drop_table(table)


def _add_conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", _NAME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("customer", _NAME),
        sa.Column("channel", sa.String()),
        sa.Column("tier", sa.String()),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    op.create_index(op.f("ix_conversations_updated_at"), "conversations", ["updated_at"])


def _add_turns() -> None:
    op.create_table(
        "turns",
        sa.Column("id", _NAME, nullable=False),
        sa.Column("conversation_id", _NAME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("message_id", _NAME),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("utc_offset_s", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in ("outcome", "intent", "category", "sentiment")),
        sa.Column("faq", sa.String()),
        sa.Column("confidence", sa.Double()),
        sa.Column("reasons", sa.JSON(), nullable=False),
        *(sa.Column(name, sa.String()) for name in ("arm", "release", "bundle", "knowledge", "channel", "tier")),
        sa.Column("customer", _NAME),
        _of_conversation("turns"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_turns")),
        sa.UniqueConstraint("conversation_id", "message_id", name=op.f("uq_turns_conversation_id_message_id")),
        sa.UniqueConstraint("conversation_id", "version", name=op.f("uq_turns_conversation_id_version")),
    )
    op.create_index(op.f("ix_turns_at_id"), "turns", ["at", "id"])
    op.create_index(op.f("ix_turns_customer"), "turns", ["customer"])


def _add_handoffs() -> None:
    op.create_table(
        "handoffs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", _NAME, nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("package", sa.JSON(), nullable=False),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("released_at", _TIME),
        sa.Column("released_by", sa.String()),
        _of_conversation("handoffs"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handoffs")),
    )
    op.create_index(op.f("ix_handoffs_conversation_id"), "handoffs", ["conversation_id"])
    op.create_index(op.f("ix_handoffs_opened_at"), "handoffs", ["opened_at"])


def _add_feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("answer_id", _NAME, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("rating", sa.Integer()),
        sa.Column("helpful", sa.Boolean()),
        sa.Column("reasons", sa.JSON(), nullable=False),
        *(sa.Column(name, sa.String()) for name in ("correct_intent", "correct_faq", "comment")),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=op.f("ck_feedback_rating")),
        sa.ForeignKeyConstraint(["answer_id"], ["turns.id"], name=op.f("fk_feedback_answer_id_turns"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("answer_id", "digest", name=op.f("pk_feedback")),
    )
    op.create_index(op.f("ix_feedback_at"), "feedback", ["at"])


def _of_conversation(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_conversation_id_conversations")
    return sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], name=name, ondelete="CASCADE")

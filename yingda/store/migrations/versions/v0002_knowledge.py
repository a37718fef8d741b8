"""Living knowledge: records, their revisions, and the version of it all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables of knowledge; its version begins at 0."""
    clock = op.create_table(
        "knowledge_clock",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_knowledge_clock")),
        sa.CheckConstraint("id = 1", name=op.f("ck_knowledge_clock_one_row")),
    )
    op.bulk_insert(clock, [{"id": 1, "version": 0}])
    op.create_table(
        "knowledge_records",
        sa.Column("kind", _NAME, nullable=False),
        sa.Column("key", _NAME, nullable=False),
        sa.Column("head", sa.Integer, nullable=False),
        sa.Column("live_since", sa.Integer),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_knowledge_records")),
    )
    _add_revisions()


def downgrade() -> None:
    """Take them away, with every version of every record."""
    for table in ("knowledge_revisions", "knowledge_records", "knowledge_clock"):
        op.drop_table(table)


def _add_revisions() -> None:
    op.create_table(
        "knowledge_revisions",
        sa.Column("kind", _NAME, nullable=False),
        sa.Column("key", _NAME, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("reviewer", sa.String),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("effective_from", _TIME),
        sa.Column("effective_until", _TIME),
        sa.Column("knowledge_version", sa.Integer),
        sa.Column("undoes", sa.Integer),
        sa.PrimaryKeyConstraint("kind", "key", "revision", name=op.f("pk_knowledge_revisions")),
        sa.ForeignKeyConstraint(
            ["kind", "key"],
            ["knowledge_records.kind", "knowledge_records.key"],
            name=op.f("fk_knowledge_revisions_kind_key_knowledge_records"),
        ),
    )

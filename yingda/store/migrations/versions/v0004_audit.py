"""The audit log: entries that follow each other by number and hash, and triggers that let nobody change one by mistake."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_NAMES = ("who", "action", "target", "request_id", "outcome")

# BEFORE INSERT as well: INSERT OR REPLACE deletes without a word to the trigger on DELETE.
_LITE = (
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END",
    """
    CREATE TRIGGER audit_in_order BEFORE INSERT ON audit
    WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM audit)
      OR NEW.previous IS NOT coalesce((SELECT hash FROM audit ORDER BY number DESC LIMIT 1), NEW.previous)
    BEGIN SELECT RAISE(ABORT, 'audit entries follow each other'); END
    """,
)
_POSTGRES = (
    """
    CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'audit is append-only'; END $$
    """,
    """
    CREATE FUNCTION audit_in_order() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE last RECORD;
    BEGIN
        SELECT number, hash INTO last FROM audit ORDER BY number DESC LIMIT 1;
        IF NEW.number <> coalesce(last.number, 0) + 1 OR NEW.previous <> coalesce(last.hash, NEW.previous) THEN
            RAISE EXCEPTION 'audit entries follow each other';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_append_only()",
    "CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
    "CREATE TRIGGER audit_in_order BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_in_order()",
)


def upgrade() -> None:
    """Add the audit log."""
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, _NAME, nullable=False) for name in _NAMES),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("previous", _NAME, nullable=False),
        sa.Column("hash", _NAME, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
    )
    for statement in _POSTGRES if _is_postgres() else _LITE:
        op.execute(statement)


def downgrade() -> None:
    """Take it away, with what it says: `yingda audit show` prints it before."""
    op.drop_table("audit")
    if _is_postgres():
        for name in ("audit_in_order", "audit_append_only"):
            op.execute(f"DROP FUNCTION {name}()")


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"

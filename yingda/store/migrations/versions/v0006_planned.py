"""Publications that replace what is planned, said by each for itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the flag. A version that was published without end did replace what was planned, and does so still."""
    op.add_column("knowledge_revisions", sa.Column("replace_planned", sa.Boolean(), server_default=sa.false(), nullable=False))
    steps = sa.table(
        "knowledge_revisions", *(sa.column(name) for name in ("status", "effective_until")), sa.column("replace_planned", sa.Boolean())
    )
    told = (steps.c.status == "published") & steps.c.effective_until.is_(None)
    op.execute(steps.update().where(told).values(replace_planned=sa.true()))


def downgrade() -> None:
    """Take the flag away: the newest publication covers what is planned."""
    op.drop_column("knowledge_revisions", "replace_planned")

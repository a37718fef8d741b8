"""Sealed originals of turns: the message and the customer's id, encrypted; null where no vault is configured."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column."""
    op.add_column("turns", sa.Column("sealed", sa.JSON()))


def downgrade() -> None:
    """Take it away, with the originals; masked texts stay."""
    op.drop_column("turns", "sealed")

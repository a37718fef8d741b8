"""What changed since a version of all knowledge is found without reading every step."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_knowledge_revisions_knowledge_version", "knowledge_revisions", ["knowledge_version"])


def downgrade() -> None:
    """Take it away."""
    op.drop_index("ix_knowledge_revisions_knowledge_version", "knowledge_revisions")

"""Roll-outs: releases with their guardrails, the plans that were in force, and the customers observed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables of roll-outs."""
    op.create_table(
        "rollouts",
        sa.Column("release", _NAME, nullable=False),
        sa.Column("guardrail", sa.JSON(), nullable=False),
        sa.Column("seen_until", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("release", name=op.f("pk_rollouts")),
    )
    _add_plans()
    _add_customers()


def downgrade() -> None:
    """Take them away: every message is answered by the machine again."""
    for table in ("rollout_customers", "rollout_plans", "rollouts"):
        op.drop_table(table)


def _add_plans() -> None:
    op.create_table(
        "rollout_plans",
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("release", _NAME, nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["release"], ["rollouts.release"], name=op.f("fk_rollout_plans_release_rollouts")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_rollout_plans")),
    )
    op.create_index(op.f("ix_rollout_plans_release"), "rollout_plans", ["release"])


def _add_customers() -> None:
    op.create_table(
        "rollout_customers",
        sa.Column("release", _NAME, nullable=False),
        sa.Column("customer", _NAME, nullable=False),
        sa.Column("turn_id", _NAME, nullable=False),
        sa.Column("arm", sa.String(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("observed_at", _TIME),
        sa.Column("harms", sa.JSON()),
        sa.ForeignKeyConstraint(["release"], ["rollouts.release"], name=op.f("fk_rollout_customers_release_rollouts")),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name=op.f("fk_rollout_customers_turn_id_turns"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("release", "customer", name=op.f("pk_rollout_customers")),
    )
    op.create_index(op.f("ix_rollout_customers_turn_id"), "rollout_customers", ["turn_id"])

"""Tables of roll-outs: every plan that was in force, and the customers by whom a release is judged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from yingda.store.base import Base, Identifier, Json, UtcDateTime


class RolloutRow(Base):
    """A release: the counts of its guardrail, and until when its turns were searched for new customers."""

    __tablename__ = "rollouts"

    release: Mapped[str] = mapped_column(Identifier, primary_key=True)
    guardrail: Mapped[dict[str, Any]] = mapped_column(Json)
    seen_until: Mapped[datetime] = mapped_column(UtcDateTime)


class RolloutPlanRow(Base):
    """A plan as it was put in force; rows are added and never changed, the one with the highest number counts."""

    __tablename__ = "rollout_plans"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    release: Mapped[str] = mapped_column(Identifier, ForeignKey("rollouts.release"), index=True)
    plan: Mapped[dict[str, Any]] = mapped_column(Json)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    by: Mapped[str]
    reason: Mapped[str] = mapped_column(Text)
    automatic: Mapped[bool]


class RolloutCustomerRow(Base):
    """A customer under a release, from the turn they came in with; counted when ``observed_at`` is set, and then for good.

    It goes when that turn is forgotten or erased; the counts stay.
    """

    __tablename__ = "rollout_customers"

    release: Mapped[str] = mapped_column(Identifier, ForeignKey("rollouts.release"), primary_key=True)
    customer: Mapped[str] = mapped_column(Identifier, primary_key=True)
    turn_id: Mapped[str] = mapped_column(Identifier, ForeignKey("turns.id", ondelete="CASCADE"), index=True)
    arm: Mapped[str]
    share: Mapped[float]
    observed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    harms: Mapped[list[str] | None] = mapped_column(Json)

"""The table of the audit log: rows are added, one after the other, and never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from yingda.store.base import Base, Identifier, Json, UtcDateTime


class AuditRow(Base):
    """An entry; ``hash`` is that of the entry before (``previous``) with this one, so that no row can change alone."""

    __tablename__ = "audit"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    who: Mapped[str] = mapped_column(Identifier)
    action: Mapped[str] = mapped_column(Identifier)
    target: Mapped[str] = mapped_column(Identifier)
    request_id: Mapped[str] = mapped_column(Identifier)
    outcome: Mapped[str] = mapped_column(Identifier)
    facts: Mapped[dict[str, Any]] = mapped_column(Json)
    previous: Mapped[str] = mapped_column(Identifier)
    hash: Mapped[str] = mapped_column(Identifier)

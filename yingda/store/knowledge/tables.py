"""Tables of living knowledge: every step of every record, where each record stands, and the version of it all."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from yingda.store.base import Base, Identifier, UtcDateTime


class ClockRow(Base):
    """One row: ``version`` grows with every change of what customers are told. Writers take its lock first."""

    __tablename__ = "knowledge_clock"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]


class RecordRow(Base):
    """Where a record stands: ``head`` is its newest revision, ``live_since`` the oldest that can still speak."""

    __tablename__ = "knowledge_records"

    kind: Mapped[str] = mapped_column(Identifier, primary_key=True)
    key: Mapped[str] = mapped_column(Identifier, primary_key=True)
    head: Mapped[int]
    live_since: Mapped[int | None]


class RevisionRow(Base):
    """A step in the life of a record; rows are added and never changed. ``payload`` is canonical JSON."""

    __tablename__ = "knowledge_revisions"
    __table_args__ = (ForeignKeyConstraint(["kind", "key"], ["knowledge_records.kind", "knowledge_records.key"]),)

    kind: Mapped[str] = mapped_column(Identifier, primary_key=True)
    key: Mapped[str] = mapped_column(Identifier, primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    name: Mapped[str]
    status: Mapped[str]
    author: Mapped[str]
    actor: Mapped[str]
    reviewer: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str] = mapped_column(Text)
    payload: Mapped[str] = mapped_column(Text)
    digest: Mapped[str]
    effective_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    effective_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    knowledge_version: Mapped[int | None] = mapped_column(index=True)
    undoes: Mapped[int | None]
    replace_planned: Mapped[bool] = mapped_column(server_default=false())

"""Stored events."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import Base
from app.lib.events.declaration import MAX_KIND_LENGTH


class StoredEvent(Base):
    """Refers to its aggregate without a foreign key, because it outlives it.

    ``position`` is its place among all, see :mod:`app.lib.events.positions`.
    ``listeners`` are those that have been given a job for it, so that a backfill gives them no second one: ``,a,b,``.
    """

    __tablename__ = "events"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(MAX_KIND_LENGTH))
    aggregate_type: Mapped[str] = mapped_column(String(MAX_KIND_LENGTH))
    aggregate_id: Mapped[UUID]
    aggregate_version: Mapped[int] = mapped_column(BigInteger)
    payload: Mapped[str] = mapped_column(Text)
    listeners: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]

    __table_args__ = (
        Index(None, "position", "id"),
        Index(None, "kind", "position", "id"),
        Index(None, "created_at", "id"),
    )

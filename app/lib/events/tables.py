"""Stored events, and which listener has been given a job for which."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import Base
from app.lib.events.declaration import MAX_KIND_LENGTH, MAX_LISTENER_LENGTH


class StoredEvent(Base):
    """Append only. Refers to its aggregate without a foreign key, because it outlives it."""

    __tablename__ = "events"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(MAX_KIND_LENGTH))
    aggregate_type: Mapped[str] = mapped_column(String(MAX_KIND_LENGTH))
    aggregate_id: Mapped[UUID]
    aggregate_version: Mapped[int] = mapped_column(BigInteger)
    payload: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]

    __table_args__ = (Index(None, "kind", "id"), Index(None, "aggregate_id", "id"), Index(None, "created_at", "id"))


class EventDelivery(Base):
    """That a listener has been given a job for an event, so that a replay gives it no second one."""

    __tablename__ = "event_deliveries"

    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"), primary_key=True)
    listener: Mapped[str] = mapped_column(String(MAX_LISTENER_LENGTH), primary_key=True)

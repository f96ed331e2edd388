from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    literal_column,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import Base, Entity
from app.lib.security.resealing import sealed_for


def _where(status: str) -> dict[str, Any]:
    return dict.fromkeys(("postgresql_where", "sqlite_where"), literal_column(f"status = '{status}'"))


class WebhookEndpoint(Entity):
    """Secrets are sealed. ``first_failed_at`` is the first failure that no success has followed."""

    __tablename__ = "webhook_endpoints"

    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(String(2048))
    description: Mapped[str | None] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    disabled_reason: Mapped[str | None] = mapped_column(String(16))
    first_failed_at: Mapped[datetime | None]
    secret: Mapped[bytes] = mapped_column(LargeBinary(128), info=sealed_for("id"))
    former_secret: Mapped[bytes | None] = mapped_column(LargeBinary(128), info=sealed_for("id"))
    former_secret_expires_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "owner_id", "created_at", "id"),)


class WebhookSubscription(Base):
    __tablename__ = "webhook_subscriptions"

    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)


class WebhookDelivery(Entity):
    """One event for one endpoint. ``body`` is kept as it is signed, so that every attempt sends the same bytes.

    ``resource_id`` and ``resource_version`` are what the event is about, where only the newest one matters: until the
    first attempt a newer event replaces this one.

    There is no foreign key to the endpoint, because it may have a million deliveries when it is deleted: they are not
    shown without it, and a job deletes them in batches. Lock the endpoint before you insert one.
    """

    __tablename__ = "webhook_deliveries"

    endpoint_id: Mapped[UUID]
    event_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(64))
    body: Mapped[str] = mapped_column(Text)
    resource_id: Mapped[UUID | None]
    resource_version: Mapped[int | None] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_attempt_at: Mapped[datetime | None]
    last_attempt_at: Mapped[datetime | None]
    failure: Mapped[str | None] = mapped_column(String(32))
    response_status: Mapped[int | None] = mapped_column(Integer)
    response_body: Mapped[str | None] = mapped_column(String(1000))
    duration_ms: Mapped[int | None] = mapped_column(Integer)

    __table_args__ = (
        CheckConstraint("status IN ('pending', 'succeeded', 'failed')", name="status"),
        UniqueConstraint("endpoint_id", "event_id"),
        Index(None, "endpoint_id", "created_at", "id"),
        Index(None, "created_at"),
        Index(None, "resource_id"),
        Index("ix_webhook_deliveries_pending", "next_attempt_at", **_where("pending")),
        Index("ix_webhook_deliveries_backlog", "endpoint_id", "resource_id", **_where("pending")),
        Index("ix_webhook_deliveries_failed", "id", **_where("failed")),
    )

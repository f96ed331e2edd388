"""The table of mails: what waits to be sent, what was sent, and how that ended."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Boolean, CheckConstraint, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import Base
from app.lib.security.resealing import sealed_for


class Mail(Base):
    """One mail to one person, written in the transaction of its cause. A job sends it; the row has status and history.

    ``kind`` and ``business_id`` identify the mail, so that it exists once however often it is asked for. ``topic`` is
    what a user can unsubscribe from; None is essential. ``secrets`` are encrypted variables of the template (tokens in
    links), deleted once the mail is sent.

    It names the user without a foreign key, because the kit knows no users; the deletion of a user deletes their mails.
    """

    __tablename__ = "mails"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    business_id: Mapped[str] = mapped_column(String(128))
    user_id: Mapped[UUID | None]
    topic: Mapped[str | None] = mapped_column(String(32))
    to_address: Mapped[str] = mapped_column(String(254))
    locale: Mapped[str] = mapped_column(String(10))
    template: Mapped[str] = mapped_column(String(64))
    context: Mapped[dict[str, Any]] = mapped_column(JSON)
    secrets: Mapped[bytes | None] = mapped_column(LargeBinary, info=sealed_for("id"))
    has_secrets: Mapped[bool] = mapped_column(Boolean)
    message_id: Mapped[str] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(Integer)
    retries: Mapped[int] = mapped_column(Integer)
    last_error: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime]
    queued_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(
            "status IN ('pending', 'succeeded', 'failed', 'bounced', 'cancelled', 'skipped')", name="status"
        ),
        UniqueConstraint("kind", "business_id"),
        Index(None, "status", "id"),
        Index(None, "user_id"),
        Index(None, "message_id"),
        Index(None, "created_at"),
    )

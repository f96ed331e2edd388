from uuid import UUID

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import Entity


class NotificationPreference(Entity):
    """The topics that a user has unsubscribed from. A user without a row receives all mail, at version 1."""

    __tablename__ = "notification_preferences"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    muted: Mapped[list[str]] = mapped_column(JSON)

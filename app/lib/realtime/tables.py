"""The log of the channels, and who is connected. Every instant in them is the database's own."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import Base, sortable_text

MAX_CHANNEL_LENGTH = 97
MAX_NAME_LENGTH = 255
MAX_URL_LENGTH = 2048

_HAS_SENDER, _EXPIRES = text("sender_id IS NOT NULL"), text("expires_at IS NOT NULL")


class RealtimeChannel(Base):
    """The last id of a channel. Never deleted, because ids must not start again."""

    __tablename__ = "realtime_channels"

    name: Mapped[str] = mapped_column(sortable_text(MAX_CHANNEL_LENGTH), primary_key=True)
    last_id: Mapped[int] = mapped_column(BigInteger)


class RealtimeEvent(Base):
    """An event. ``id`` is contiguous in its channel. ``key`` is a digest of its sender and the sender's key, or random.
    ``expires_at`` is NULL for what is kept.

    ``target_id`` is the id of the event that this one has updated or deleted, whose row alone has the data; a deleted
    one names itself and has none. ``edited_at`` and ``version`` are those of the data.

    No foreign key to the channel, whose row is locked when events are inserted, nor to the sender, who may be gone.
    """

    __tablename__ = "realtime_events"

    channel: Mapped[str] = mapped_column(sortable_text(MAX_CHANNEL_LENGTH), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event: Mapped[str] = mapped_column(String(64))
    data: Mapped[str] = mapped_column(Text)
    sender_id: Mapped[UUID | None]
    key: Mapped[UUID]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    target_id: Mapped[int | None] = mapped_column(BigInteger)
    edited_at: Mapped[datetime | None]
    version: Mapped[int]

    __table_args__ = (
        UniqueConstraint("channel", "key"),
        Index(
            "ix_realtime_events_sender_id",
            "sender_id",
            "created_at",
            postgresql_where=_HAS_SENDER,
            sqlite_where=_HAS_SENDER,
        ),
        Index("ix_realtime_events_expires_at", "expires_at", postgresql_where=_EXPIRES, sqlite_where=_EXPIRES),
    )


class RealtimeProcess(Base):
    """The lease of a process that has sockets, which it renews."""

    __tablename__ = "realtime_processes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    renewed_at: Mapped[datetime]


class RealtimePresence(Base):
    """That a member is present in a channel by a socket, or the socket itself in one of its user's own."""

    __tablename__ = "realtime_presence"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    process_id: Mapped[UUID] = mapped_column(ForeignKey("realtime_processes.id", ondelete="CASCADE"), index=True)
    channel: Mapped[str] = mapped_column(sortable_text(MAX_CHANNEL_LENGTH), index=True)
    member_id: Mapped[UUID]
    username: Mapped[str | None] = mapped_column(String(MAX_NAME_LENGTH))
    name: Mapped[str | None] = mapped_column(String(MAX_NAME_LENGTH))
    avatar_url: Mapped[str | None] = mapped_column(String(MAX_URL_LENGTH))

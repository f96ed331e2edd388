"""The log of the channels, and who is connected. Every instant in them is the database's own."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import Base, sortable_text
from app.lib.realtime.names import MAX_CHANNEL_LENGTH

MAX_LABEL_LENGTH = 64
MAX_NAME_LENGTH = 255


class RealtimeChannel(Base):
    """Where a channel stands. Never deleted, because ids must not start anew.

    ``presence_version`` and ``access_version`` count the changes of who is there and of who may be, so that a worker
    that missed a hint finds out.
    """

    __tablename__ = "realtime_channels"

    name: Mapped[str] = mapped_column(sortable_text(MAX_CHANNEL_LENGTH), primary_key=True)
    last_id: Mapped[int] = mapped_column(BigInteger)
    presence_version: Mapped[int] = mapped_column(BigInteger)
    access_version: Mapped[int] = mapped_column(BigInteger)


class RealtimeEvent(Base):
    """One event. ``id`` is contiguous in its channel. ``key`` is a digest of who published it and the key they gave,
    or random. ``expires_at`` is NULL for what is kept.

    No foreign key to the channel: the row that counts is locked by then, and who sent it may be gone.
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

    __table_args__ = (
        UniqueConstraint("channel", "key"),
        Index(
            "ix_realtime_events_sender_id",
            "sender_id",
            postgresql_where=text("sender_id IS NOT NULL"),
            sqlite_where=text("sender_id IS NOT NULL"),
        ),
        Index(
            "ix_realtime_events_expires_at",
            "expires_at",
            postgresql_where=text("expires_at IS NOT NULL"),
            sqlite_where=text("expires_at IS NOT NULL"),
        ),
    )


class RealtimeNode(Base):
    """A process that has sockets. ``beats`` counts its signs of life; nobody compares it with a clock."""

    __tablename__ = "realtime_nodes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    beats: Mapped[int] = mapped_column(BigInteger)
    started_at: Mapped[datetime]


class RealtimeSocket(Base):
    """A socket of a person. ``slot`` limits how many one has; ``label`` is what others know it by, if anything."""

    __tablename__ = "realtime_sockets"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    node_id: Mapped[UUID] = mapped_column(ForeignKey("realtime_nodes.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[UUID]
    session_id: Mapped[UUID]
    slot: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(16))
    label: Mapped[str | None] = mapped_column(String(MAX_LABEL_LENGTH))
    opened_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("user_id", "slot"),
        CheckConstraint("kind IN ('socket', 'stream', 'lobby')", name="kind"),
    )


class RealtimePresence(Base):
    """That a socket's person is present in a channel."""

    __tablename__ = "realtime_presence"

    channel: Mapped[str] = mapped_column(sortable_text(MAX_CHANNEL_LENGTH), primary_key=True)
    socket_id: Mapped[UUID] = mapped_column(
        ForeignKey("realtime_sockets.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    member_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(String(MAX_NAME_LENGTH))

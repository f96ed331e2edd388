from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, Index, LargeBinary, String, Text, literal_column
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.realtime.names import MAX_ROOM_NAME
from app.lib.db.base import Base, Entity, sortable_text

_IS_LISTED: ColumnElement[bool] = literal_column("visibility = 'public' AND closed_at IS NULL")


class Room(Entity):
    """Its messages are the log of the channel ``room:{id}``. The owner is a member; a room without members has none.

    Names of open public rooms are unique. Those of others are not: that one is taken would disclose a private room, and
    closed rooms would keep names for good.
    """

    __tablename__ = "rooms"

    name: Mapped[str] = mapped_column(sortable_text(MAX_ROOM_NAME))
    title: Mapped[str | None] = mapped_column(String(255))
    search_text: Mapped[str] = mapped_column(Text)
    visibility: Mapped[str] = mapped_column(String(16))
    closed_at: Mapped[datetime | None]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    creator_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))

    __table_args__ = (
        Index(None, "creator_id", "created_at"),
        Index("ix_rooms_name", "name", unique=True, postgresql_where=_IS_LISTED, sqlite_where=_IS_LISTED),
        Index(None, "created_at", "id"),
        Index(None, "updated_at", "id"),
    )


class RoomMember(Base):
    """Who may listen and publish."""

    __tablename__ = "room_members"

    room_id: Mapped[UUID] = mapped_column(ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    joined_at: Mapped[datetime]

    __table_args__ = (Index(None, "room_id", "joined_at", "user_id"), Index(None, "user_id"))


class RoomInvitation(Base):
    """A user who may join a private room. Ends when they join."""

    __tablename__ = "room_invitations"

    room_id: Mapped[UUID] = mapped_column(ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    invited_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]

    __table_args__ = (
        Index(None, "room_id", "created_at", "user_id"),
        Index(None, "user_id"),
        Index(None, "invited_by"),
    )


class RealtimeTicket(Base):
    """The digest of a secret that opens one connection in the name of a session, or of an API key, while that is good.
    No foreign key, because it may be either.
    """

    __tablename__ = "realtime_tickets"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    session_id: Mapped[UUID]
    expires_at: Mapped[datetime] = mapped_column(index=True)

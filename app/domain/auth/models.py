from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import Base, new_id


class Session(Base):
    """One sign-in, and with it one family of tokens.

    ``generation`` counts its refresh tokens; only the newest is good. ``secret`` never leaves the database: it makes
    the ids of refresh tokens, so that the same generation always has the same token.
    """

    __tablename__ = "sessions"

    id: Mapped[UUID] = mapped_column(default=new_id, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    secret: Mapped[bytes] = mapped_column(LargeBinary(32))
    generation: Mapped[int] = mapped_column(Integer, default=1)
    rotated_at: Mapped[datetime]
    idle_expires_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    authenticated_at: Mapped[datetime]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None] = mapped_column(String(32))
    address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(255))

    __table_args__ = (Index(None, "user_id", "revoked_at"), Index(None, "expires_at"))


class MailedLink(Base):
    """A secret that was mailed to ``address``, good for one purpose, once, until it expires; only digests are kept.

    A user has one row for each purpose and ``slot``: a newer link takes the place of the one before. Links that undo a
    change of the address have a slot each, because a later change must not make an earlier one final.
    """

    __tablename__ = "mailed_links"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(32))
    slot: Mapped[str] = mapped_column(String(36))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    code_digest: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    address: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("user_id", "purpose", "slot"), Index(None, "expires_at"))

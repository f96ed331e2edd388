from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String
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

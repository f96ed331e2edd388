from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import Base


class Identity(Base):
    """A user as an identity provider knows them: ``subject`` never changes there, and ``email`` is for people to read.

    ``provider`` is the name in the settings; what counts is the issuer, so that another one of the same name vouches
    for no one.
    """

    __tablename__ = "identities"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    provider: Mapped[str] = mapped_column(String(31))
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    email: Mapped[str | None] = mapped_column(String(254))
    linked_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("issuer", "subject"), UniqueConstraint("user_id", "issuer"))


class ProviderAttempt(Base):
    """One way to a provider and back, which ends with the row. Only who has both secrets comes back: ``state`` went
    with the browser, and the other one stayed where the attempt began. ``user_id`` is who links, else None.

    ``sealed`` has the nonce and the verifier of PKCE.
    """

    __tablename__ = "provider_attempts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    state_digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    secret_digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    provider: Mapped[str] = mapped_column(String(31))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary(255))
    expires_at: Mapped[datetime]

    __table_args__ = (Index(None, "expires_at"),)

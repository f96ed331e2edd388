from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import Base, Entity, new_id
from app.lib.security.relying_party import MAX_CREDENTIAL_ID, MAX_PUBLIC_KEY
from app.lib.security.resealing import sealed_for


class Session(Base):
    """One sign-in, and with it one family of tokens.

    ``generation`` counts its refresh tokens; only the newest is good. ``secret`` never leaves the database: it makes
    the ids of refresh tokens, so that the same generation always has the same token. ``device_key`` is of the sign-in
    and stays, else a thief of tokens would make their own device a known one. With an ``impersonator_id`` support acts
    as the user, for as long as the support's own session is good.
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
    impersonator_id: Mapped[UUID | None]
    impersonator_session_id: Mapped[UUID | None]
    address: Mapped[str | None] = mapped_column(String(64))
    user_agent: Mapped[str | None] = mapped_column(String(255))
    device_key: Mapped[bytes] = mapped_column(LargeBinary(16))

    __table_args__ = (
        Index(None, "user_id", "revoked_at"),
        Index(None, "user_id", "device_key"),
        Index(None, "expires_at"),
    )


class TotpFactor(Base):
    """An app that makes codes from a secret and the time (RFC 6238); a second factor once a code has confirmed it.

    ``last_step`` is the time step of the last code that was used: no code of that step or an earlier one is good again.
    """

    __tablename__ = "totp_factors"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary(128), info=sealed_for("user_id"))
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(BigInteger)


class RecoveryCode(Base):
    """Stands for a second factor, once: the row is deleted then. Only its digest is kept."""

    __tablename__ = "recovery_codes"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)


class MfaToken(Base):
    """A sign-in that waits for the second factor. It is deleted when it is used.

    ``password_digest`` is of the user's password hash: with another password the sign-in has to begin again.
    ``network_digest`` is of where it began, so that others with the password do not push out the owner's.
    """

    __tablename__ = "mfa_tokens"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    password_digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    way: Mapped[str] = mapped_column(String(64))
    network_digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    tries_left: Mapped[int] = mapped_column(Integer)
    expires_at: Mapped[datetime]

    __table_args__ = (Index(None, "user_id", "expires_at"), Index(None, "expires_at"))


class ApiKey(Base):
    """A secret by which a program acts as a user, until it is revoked or expires; only its digest is kept.

    ``scopes`` are permission codes with commas between them. The key has those of them that its user has at the time.
    """

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    scopes: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None] = mapped_column(String(32))

    __table_args__ = (Index(None, "user_id", "revoked_at"), Index(None, "expires_at"))


class MailedLink(Base):
    """A secret that was mailed to ``address``, good for one purpose, once, until it expires; only digests are kept.

    ``email_key`` is of the address that the user had then. There is one row for each user, purpose and such address: a
    newer link takes the place of the one before. So a later change of the address leaves the link that undoes an
    earlier one, and keeps the former address for the user until it expires.
    """

    __tablename__ = "mailed_links"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(String(32))
    email_key: Mapped[str] = mapped_column(String(254))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    code_digest: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    address: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("email_key", "purpose", "user_id"), Index(None, "expires_at"))


class Passkey(Entity):
    """The public half of a key that an authenticator has made for a user (WebAuthn).

    ``sign_count`` is the authenticator's counter, 0 where it has none. ``verifies_user`` says that it asked for a
    PIN or a finger when it made the key. A use of the key changes no ``version``.
    """

    __tablename__ = "passkeys"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary(MAX_CREDENTIAL_ID), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary(MAX_PUBLIC_KEY))
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(255))
    transports: Mapped[str] = mapped_column(String(100))
    verifies_user: Mapped[bool] = mapped_column(Boolean)
    is_backed_up: Mapped[bool] = mapped_column(Boolean)
    last_used_at: Mapped[datetime | None]


class UsedChallenge(Base):
    """A challenge that a passkey has answered: until it expires, it must not be answered again."""

    __tablename__ = "used_challenges"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON, Boolean, ColumnElement, ForeignKey, Index, String, literal_column
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import Base, Entity, sortable_text

_IS_DELETED: ColumnElement[bool] = literal_column("deleted_at IS NOT NULL")


class User(Entity):
    """``…_key`` columns hold the normalised forms that are unique, sorted by or searched.

    A service account (``is_service``) is a user for programs: no one signs in as it, and it gets no mail. Its address
    leads nowhere.
    With a ``deleted_at`` the user is gone for everyone, and a job deletes what belongs to them, and the row at last.
    """

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(sortable_text(254), unique=True)
    username: Mapped[str | None] = mapped_column(String(30))
    username_key: Mapped[str | None] = mapped_column(sortable_text(30), unique=True)
    name: Mapped[str | None] = mapped_column(String(100))
    name_key: Mapped[str] = mapped_column(sortable_text(400), default="")
    search_text: Mapped[str] = mapped_column(String(1000), default="")
    locale: Mapped[str] = mapped_column(String(10), default="en")
    password_hash: Mapped[str] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    is_verified: Mapped[bool] = mapped_column(Boolean, default=False)
    is_superuser: Mapped[bool] = mapped_column(Boolean, default=False)
    is_service: Mapped[bool] = mapped_column(Boolean, default=False)
    must_change_password: Mapped[bool] = mapped_column(Boolean, default=False)
    metadata_: Mapped[dict[str, str]] = mapped_column("metadata", JSON, default=dict)
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        Index(None, "created_at", "id"),
        Index(None, "updated_at", "id"),
        Index(None, "name_key", "id"),
        Index(
            "ix_users_superusers",
            "id",
            postgresql_where=literal_column("is_superuser"),
            sqlite_where=literal_column("is_superuser = 1"),
        ),
        Index(
            "ix_users_service",
            "id",
            postgresql_where=literal_column("is_service"),
            sqlite_where=literal_column("is_service = 1"),
        ),
        Index("ix_users_deleted_at", "deleted_at", postgresql_where=_IS_DELETED, sqlite_where=_IS_DELETED),
    )


class UsernameHold(Base):
    """Keeps a username for a user: the one that they have, or one that a registration with their address asked for when
    the answer did not say that the address is taken. So the name is gone in both cases: for
    good, or, where a registration has asked for it and no one has confirmed the address, until ``kept_until``.
    """

    __tablename__ = "username_holds"

    username_key: Mapped[str] = mapped_column(sortable_text(30), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    kept_until: Mapped[datetime | None] = mapped_column(index=True)


class Profile(Entity):
    __tablename__ = "profiles"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    first_name: Mapped[str | None] = mapped_column(String(100))
    last_name: Mapped[str | None] = mapped_column(String(100))
    bio: Mapped[str | None] = mapped_column(String(2000))
    avatar_url: Mapped[str | None] = mapped_column(String(2048))


class Role(Entity):
    __tablename__ = "roles"

    name: Mapped[str] = mapped_column(sortable_text(50), unique=True)
    description: Mapped[str | None] = mapped_column(String(255))
    requires_mfa: Mapped[bool] = mapped_column(Boolean, default=False)


class RolePermission(Base):
    __tablename__ = "role_permissions"

    role_id: Mapped[UUID] = mapped_column(ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True)
    code: Mapped[str] = mapped_column(String(64), primary_key=True)


class UserRole(Base):
    """No foreign key to the role, because a million users may have it when it is deleted: without it a row means
    nothing, and a job deletes the rows in batches. Roles are locked before they are given to users.
    """

    __tablename__ = "user_roles"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[UUID] = mapped_column(primary_key=True)

    __table_args__ = (Index(None, "role_id", "user_id"),)

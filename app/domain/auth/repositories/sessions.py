"""Every statement about sessions."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Uuid, bindparam, case, exists, insert, literal_column, or_, select, type_coerce, update
from sqlalchemy.orm import aliased

from app.domain.accounts.models import RolePermission, User, UserRole
from app.domain.auth.dtos.sessions import SessionRead
from app.domain.auth.errors import SessionEnded
from app.domain.auth.models import ApiKey, Session
from app.domain.auth.repositories.links import CHANGE_EMAIL, DELETE_UNUSED
from app.domain.auth.repositories.mfa_tokens import DELETE_TOKENS_OF
from app.domain.auth.repositories.second_factors import debt, has_second_factor
from app.lib.db.base import SplitSet, table_of
from app.lib.db.prepared import PreparedIn, columns_of, joined_strings, prepare
from app.lib.db.repositories import Repository
from app.lib.db.statements import delete_batch
from app.lib.security.principal import Principal

MAX_SESSIONS = 50
"""Of a person, at a time."""

user_permissions = joined_strings(
    User, RolePermission.code, UserRole.role_id == RolePermission.role_id, UserRole.user_id == User.id
)

"""The permissions that a user's roles give, as a column next to the user's own."""


class SessionRow(msgspec.Struct, frozen=True):
    """A session, which is one family of tokens."""

    id: UUID
    user_id: UUID
    secret: bytes
    generation: int
    rotated_at: datetime
    idle_expires_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


_principals = (
    select(
        *columns_of(
            Principal,
            Session,
            session_id=Session.id,
            is_superuser=User.is_superuser,
            permissions=type_coerce(user_permissions, SplitSet()),
            is_verified=User.is_verified,
            means=case(
                (Session.impersonator_id.is_not(None), literal_column("'impersonation'")),
                else_=literal_column("'sign_in'"),
            ),
            impersonator_id=Session.impersonator_id,
            impersonator_session_id=Session.impersonator_session_id,
            owes=debt,
        )
    )
    .join(User, User.id == Session.user_id)
    .where(Session.revoked_at.is_(None), Session.expires_at > bindparam("now"), User.is_active)
)
PRINCIPALS = PreparedIn(_principals, Session.id, Principal, key="session_id")
"""Of live sessions of active users."""
KNOWN_ADDRESSES = prepare(
    select(Session.address)
    .where(
        Session.user_id == bindparam("user_id"),
        Session.address.is_not(None),
        Session.revoked_at.is_(None),
        Session.idle_expires_at > bindparam("now"),
    )
    .order_by(Session.last_seen_at.desc())
    .limit(100),
    str,
)
"""The addresses of a user's live sessions, the latest hundred."""


_columns = Session.__table__.c
_NEW = (
    *SessionRow.__struct_fields__,
    "authenticated_at",
    "created_at",
    "last_seen_at",
    "address",
    "user_agent",
    "device_key",
    "impersonator_id",
    "impersonator_session_id",
)
_create = prepare(
    insert(Session).from_select(
        list(_NEW),
        select(*(bindparam(name, type_=_columns[name].type) for name in _NEW))
        .where(
            User.id == bindparam("user_id", type_=Uuid()),
            User.password_hash == bindparam("password_hash"),
            User.is_active,
        )
        .with_for_update(read=True),
    )
)
_SESSION_ID = bindparam("session_id", type_=Uuid())
_USER_ID = bindparam("user_id", type_=Uuid())
_NOW = bindparam("now", type_=_columns.rotated_at.type)
_IDLE_UNTIL = bindparam("idle_until", type_=_columns.rotated_at.type)
SESSION = prepare(
    select(*columns_of(SessionRow, Session))
    .join(User, User.id == Session.user_id)
    .where(Session.id == _SESSION_ID, User.is_active),
    SessionRow,
)
"""A session of an active user."""
_live_session = exists().where(
    Session.id == _SESSION_ID, Session.revoked_at.is_(None), User.id == Session.user_id, User.is_active
)
_live_key = exists().where(ApiKey.id == _SESSION_ID, ApiKey.revoked_at.is_(None))
_is_live = prepare(select(or_(_live_session, _live_key)), bool)
ROTATE = prepare(
    update(Session)
    .where(
        Session.id == _SESSION_ID,
        Session.generation == bindparam("generation"),
        Session.revoked_at.is_(None),
        Session.idle_expires_at > _NOW,
        Session.expires_at > _NOW,
        select(User.id).where(User.id == Session.user_id, User.is_active).exists(),
    )
    .values(
        generation=Session.generation + 1,
        rotated_at=_NOW,
        last_seen_at=_NOW,
        idle_expires_at=case((Session.expires_at < _IDLE_UNTIL, Session.expires_at), else_=_IDLE_UNTIL),
        address=bindparam("address"),
        user_agent=bindparam("user_agent"),
    )
    .returning(*columns_of(SessionRow, Session)),
    SessionRow,
)
"""One step from ``generation`` to the next; no row when another request made it, or the session is over."""
HOLD_USER = prepare(
    select(User.id).where(User.id == _USER_ID, User.deleted_at.is_(None)).with_for_update(read=True, key_share=True),
    UUID,
)
"""Keeps the user from being deleted. Run it first: users are locked before sessions everywhere."""
_live = update(Session).where(Session.revoked_at.is_(None)).values(revoked_at=_NOW, revoked_reason=bindparam("reason"))
_overdue = (
    select(Session.id)
    .where(Session.user_id == _USER_ID, Session.revoked_at.is_(None), Session.impersonator_id.is_(None))
    .order_by(Session.id.desc())
    .offset(MAX_SESSIONS)
)
END_OLDEST = prepare(_live.where(Session.id.in_(_overdue)).returning(Session.id), UUID)
_revoke = prepare(_live.where(Session.id == _SESSION_ID, Session.user_id == _USER_ID, Session.idle_expires_at > _NOW))
_revoke_support = prepare(
    _live.where(Session.user_id == _USER_ID, Session.impersonator_id == bindparam("impersonator_id", type_=Uuid()))
)
_revoke_all = prepare(_live.where(Session.user_id == _USER_ID, Session.id != bindparam("kept_id", type_=Uuid())))
REAUTHENTICATE = prepare(
    update(Session)
    .where(Session.id == _SESSION_ID, Session.revoked_at.is_(None), Session.expires_at > _NOW)
    .values(authenticated_at=_NOW)
)
_support = aliased(Session)
_support_is_signed_in = or_(
    Session.impersonator_session_id.is_(None),
    select(_support.id)
    .where(_support.id == Session.impersonator_session_id, _support.revoked_at.is_(None), _support.expires_at > _NOW)
    .exists(),
)
OWN_SESSIONS = prepare(
    select(
        *columns_of(
            SessionRead,
            Session,
            device=Session.user_agent,
            by_support=Session.impersonator_id.is_not(None),
            current=Session.id == bindparam("current_id", type_=Uuid()),
        )
    )
    .where(
        Session.user_id == _USER_ID,
        Session.revoked_at.is_(None),
        Session.idle_expires_at > _NOW,
        Session.expires_at > _NOW,
        _support_is_signed_in,
    )
    .order_by(Session.last_seen_at.desc(), Session.id.desc())
    .limit(2 * MAX_SESSIONS),
    SessionRead,
)


class SignInRow(msgspec.Struct, frozen=True):
    """What a user is mailed about a sign-in."""

    created_at: datetime
    address: str | None
    user_agent: str | None


_DEVICE_KEY = bindparam("device_key", type_=_columns.device_key.type)
_from_device = (Session.user_id == _USER_ID, Session.device_key == _DEVICE_KEY)
SIGN_IN_FROM = prepare(
    select(*columns_of(SignInRow, Session)).where(*_from_device).order_by(Session.id.desc()).limit(1), SignInRow
)
"""The latest of a user from a device."""
_before_this = select(Session.id).offset(1)
_is_known_device = or_(
    _before_this.where(*_from_device).exists(),
    ~_before_this.where(Session.user_id == _USER_ID).exists()
    & select(User.id).where(User.id == _USER_ID, User.created_at > bindparam("new_since", type_=_NOW.type)).exists(),
)
"""Of a session that was just opened: there is another one from its device, or it is the first one of a new user."""


class EntryRow(msgspec.Struct, frozen=True):
    """What matters of a user for whom a session was just opened."""

    has_second_factor: bool
    is_crowded: bool
    is_known_device: bool


_has_factor, _is_crowded = has_second_factor(_USER_ID), _overdue.order_by(None).exists()
ENTRY = prepare(
    select(
        _has_factor.label("has_second_factor"),
        _is_crowded.label("is_crowded"),
        _is_known_device.label("is_known_device"),
    ),
    EntryRow,
)
PURGE = prepare(delete_batch(table_of(Session), Session.expires_at < _NOW))
DELETE_OF = prepare(delete_batch(table_of(Session), Session.user_id == _USER_ID, all_of_them=True))
"""A batch of a user's sessions."""
_NO_SESSION = UUID(int=0)


class SessionRepository(Repository):
    async def create(
        self, row: SessionRow, password_hash: str, *, support: Principal | None = None, **device: Any
    ) -> bool:
        """Adds a session of an active user whose password still has this hash; False when there is no such user.
        ``device`` is ``address``, ``user_agent`` and ``device_key``; ``support`` acts as the user in it.

        The user is locked against changes, so that a transaction that ends their sessions either finds this one or
        prevents it.
        """
        values = msgspec.structs.asdict(row)
        times = dict.fromkeys(("authenticated_at", "created_at", "last_seen_at"), row.rotated_at)
        values |= {
            "impersonator_id": support.user_id if support else None,
            "impersonator_session_id": support.session_id if support else None,
        }
        return await self.unit.execute(_create, **values, **times, **device, password_hash=password_hash) == 1

    async def revoke(self, session_id: UUID, user_id: UUID, now: datetime, reason: str) -> bool:
        """Ends one session of a user; False when it was over already, or is none of theirs."""
        return await self.unit.execute(_revoke, session_id=session_id, user_id=user_id, now=now, reason=reason) == 1

    async def end_support(self, user_id: UUID, impersonator_id: UUID, now: datetime) -> None:
        """Ends the sessions in which this one acts as the user."""
        ending = {"user_id": user_id, "impersonator_id": impersonator_id}
        await self.unit.execute(_revoke_support, **ending, now=now, reason="replaced")

    async def check_live(self, session_id: UUID) -> None:
        """To be called with the user locked, or with what is changed, before or after adding a way in or out: who ends
        all of it then finds it, or has ended the session, which may be an API key. Raises ``SessionEnded``.
        """
        if not await self.unit.first(_is_live, session_id=session_id):
            raise SessionEnded

    async def revoke_all(self, user_id: UUID, now: datetime, reason: str, *, keep: UUID | None = None) -> int:
        """Ends a user's sessions, except ``keep``, sign-ins that wait for a second factor, and a change of the address
        that waits for its confirmation: all that a stranger may have begun. Returns the number of sessions that it
        ended.
        """
        await self.unit.execute(DELETE_TOKENS_OF, user_id=user_id)
        await self.unit.execute(DELETE_UNUSED, user_id=user_id, purpose=CHANGE_EMAIL)
        return await self.unit.execute(
            _revoke_all, user_id=user_id, now=now, reason=reason, kept_id=keep or _NO_SESSION
        )

"""Every statement about sessions."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from uuid import UUID

import msgspec
from sqlalchemy import (
    ColumnElement,
    SQLColumnExpression,
    Uuid,
    bindparam,
    case,
    delete,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.accounts.models import RolePermission, User, UserRole
from app.domain.accounts.repositories import role_names
from app.domain.auth.models import Session
from app.lib.db.prepared import Prepared, columns_of, joined_strings, one_row, pad_to_power_of_two, prepare
from app.lib.db.reader import Reader
from app.lib.db.statements import affected

_AT_ONCE = 4096
"""Ids in a statement; databases take some thirty thousand."""

_permissions = joined_strings(
    User, RolePermission.code, UserRole.role_id == RolePermission.role_id, UserRole.user_id == User.id
)


class PrincipalRow(msgspec.Struct, frozen=True):
    """Everything that decides what a session may do."""

    user_id: UUID
    session_id: UUID
    authenticated_at: datetime
    is_superuser: bool
    roles: list[str]
    permissions: list[str]


class SessionRow(msgspec.Struct, frozen=True):
    """A token family as it stands."""

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
            PrincipalRow,
            Session,
            session_id=Session.id,
            is_superuser=User.is_superuser,
            roles=role_names,
            permissions=_permissions,
        )
    )
    .join(User, User.id == Session.user_id)
    .where(Session.revoked_at.is_(None), Session.expires_at > bindparam("now"), User.is_active)
)
_principal = prepare(_principals.where(Session.id == bindparam("session_id")), PrincipalRow)


@lru_cache(16)
def _many_principals(width: int) -> Prepared[PrincipalRow]:
    wanted = [bindparam(f"session_{i}", type_=Uuid()) for i in range(width)]
    return prepare(_principals.where(Session.id.in_(wanted)), PrincipalRow)


_known_addresses = prepare(
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


class SessionReads:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def principal(self, session_id: UUID, now: datetime) -> PrincipalRow | None:
        """Of a session that is alive, of a user who is active."""
        return await self._reader.first(_principal, session_id=session_id, now=now)

    async def principals(self, session_ids: Iterable[UUID], now: datetime) -> list[PrincipalRow]:
        """Of those of the sessions that are alive, of users who are active; a few thousand in one query."""
        found: list[PrincipalRow] = []
        wanted = list(dict.fromkeys(session_ids))
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            values = {f"session_{i}": each for i, each in enumerate(pad_to_power_of_two(some))}
            found += await self._reader.all(_many_principals(len(values)), now=now, **values)
        return found

    async def addresses(self, user_id: UUID, now: datetime) -> list[str]:
        """From where the user is signed in at the moment, as far as that is known; the latest hundred."""
        return await self._reader.all(_known_addresses, user_id=user_id, now=now)


class SessionRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def open(self, row: SessionRow, password_hash: str, *, address: str | None, agent: str | None) -> bool:
        """Adds a session of an active user whose password still has this hash; False when there is none.

        The user is locked against changes, so that who ends their sessions either finds this one or prevents it.
        """
        values = msgspec.structs.asdict(row) | {
            "authenticated_at": row.rotated_at,
            "created_at": row.rotated_at,
            "last_seen_at": row.rotated_at,
            "address": address,
            "user_agent": agent,
        }
        columns = Session.__table__.c
        added = await self._session.execute(
            insert(Session).from_select(
                list(values),
                select(*(literal(value, columns[name].type) for name, value in values.items()))
                .where(User.id == row.user_id, User.password_hash == password_hash, User.is_active)
                .with_for_update(read=True),
            )
        )
        return affected(added) == 1

    async def find(self, session_id: UUID) -> SessionRow | None:
        """As committed now, together with what this transaction did. None too when the user is not active."""
        found = await self._session.execute(
            select(*columns_of(SessionRow, Session))
            .join(User, User.id == Session.user_id)
            .where(Session.id == session_id, User.is_active)
        )
        return one_row(found, SessionRow)

    async def rotate(
        self,
        session_id: UUID,
        generation: int,
        *,
        now: datetime,
        idle_until: datetime,
        address: str | None,
        agent: str | None,
    ) -> SessionRow | None:
        """One step from ``generation`` to the next, by exactly one of many who try. None: somebody else was first,
        or the session is over.
        """
        alive = (Session.revoked_at.is_(None), Session.idle_expires_at > now, Session.expires_at > now)
        active = select(User.id).where(User.id == Session.user_id, User.is_active).exists()
        changed = await self._session.execute(
            update(Session)
            .where(Session.id == session_id, Session.generation == generation, *alive, active)
            .values(
                generation=generation + 1,
                rotated_at=now,
                last_seen_at=now,
                idle_expires_at=_earlier(Session.expires_at, idle_until),
                address=address,
                user_agent=agent,
            )
            .returning(*columns_of(SessionRow, Session))
            .execution_options(synchronize_session=False)
        )
        return one_row(changed, SessionRow)

    async def hold_owner(self, user_id: UUID) -> None:
        """Keeps the account from being deleted. First, because everybody locks accounts before sessions."""
        await self._session.execute(
            select(User.id).where(User.id == user_id).with_for_update(read=True, key_share=True)
        )

    async def revoke(self, session_id: UUID, now: datetime, reason: str) -> bool:
        """Ends one session; False when it was over already."""
        return await self._revoke(now, reason, Session.id == session_id) > 0

    async def revoke_all(self, user_id: UUID, now: datetime, reason: str, *, keep: UUID | None = None) -> int:
        """Ends a user's sessions, but for ``keep``; tells how many there were."""
        conditions = [Session.user_id == user_id]
        if keep is not None:
            conditions.append(Session.id != keep)
        return await self._revoke(now, reason, *conditions)

    async def purge(self, before: datetime) -> None:
        """Removes sessions that were over by then."""
        await self._session.execute(delete(Session).where(Session.expires_at < before))

    async def _revoke(self, now: datetime, reason: str, *conditions: ColumnElement[bool]) -> int:
        changed = await self._session.execute(
            update(Session)
            .where(*conditions, Session.revoked_at.is_(None))
            .values(revoked_at=now, revoked_reason=reason)
            .returning(Session.id)
            .execution_options(synchronize_session=False)
        )
        return len(changed.all())


def _earlier(column: SQLColumnExpression[datetime], instant: datetime) -> ColumnElement[datetime]:
    return case((column < instant, column), else_=instant)

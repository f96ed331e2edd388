"""Accounts for tests, made in the database without the milliseconds of a real sign-in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import httpx
import msgspec
from argon2 import PasswordHasher
from litestar import Litestar
from polyfactory.factories.msgspec_factory import MsgspecFactory
from sqlalchemy import insert, literal, select

from app.core import Core
from app.domain.accounts.dtos import Registration
from app.domain.accounts.models import Profile, Role, RolePermission, User, UserRole
from app.domain.accounts.services.identity import with_keys
from app.domain.auth.models import Session
from app.domain.auth.repositories import SessionRow
from app.domain.auth.services.tokens import TokenIssuer
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from tests.support.apps import ADDRESS, client_of, core_of

PASSWORD = "a fine day to sail"


class RegistrationFactory(MsgspecFactory[Registration]):
    """Registrations that are accepted."""

    password = PASSWORD
    name = "Grace Hopper"

    @classmethod
    def email(cls) -> str:
        return f"{cls.__faker__.unique.user_name()}@example.com"

    @classmethod
    def username(cls) -> str | None:
        return None


@cache
def password_hash() -> str:
    """Of :data:`PASSWORD`, with today's parameters; made once."""
    return PasswordHasher(2, 19_456, 1).hash(PASSWORD)


@dataclass
class Person:
    """An account and one session of it."""

    id: UUID
    email: str
    session_id: UUID
    access_token: str
    refresh_token: str
    password: str = PASSWORD
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.headers = {"Authorization": f"Bearer {self.access_token}"}


class People:
    """Makes accounts, roles and sessions in an app's database."""

    def __init__(self, owner: Litestar | Core) -> None:
        self.owner = owner
        self.core = owner if isinstance(owner, Core) else core_of(owner)
        self._count = 0

    async def create(
        self,
        *,
        email: str | None = None,
        name: str | None = None,
        username: str | None = None,
        permissions: Iterable[str] = (),
        roles: Iterable[str] = (),
        signed_in_at: datetime | None = None,
        **values: Any,
    ) -> Person:
        """A person who is signed in. ``permissions`` come through a role made for them; ``roles`` exist already."""
        self._count += 1
        names = {"email": email or f"person{self._count}@example.com", "name": name, "username": username}
        user = User(**with_keys({"id": new_id(), "password_hash": password_hash(), **names, **values}))
        async with self.core.database.independent() as unit:
            unit.session.add(user)
            await unit.session.flush()
            unit.session.add(Profile(user_id=user.id))
            await unit.session.flush()
            if wanted := list(permissions):
                role_id = await self._role(unit.session, f"made-for-{self._count}", wanted)
                await unit.session.execute(insert(UserRole).values(user_id=user.id, role_id=role_id))
            for role in roles:
                await unit.session.execute(
                    insert(UserRole).from_select(
                        ["user_id", "role_id"],
                        _select_role(user.id, role),
                    )
                )
        return await self.sign_in(user.id, user.email, at=signed_in_at)

    async def role(self, name: str, permissions: Iterable[str] = ()) -> UUID:
        """A role with these permissions."""
        async with self.core.database.independent() as unit:
            return await self._role(unit.session, name, list(permissions))

    async def sign_in(self, user_id: UUID, email: str, *, at: datetime | None = None) -> Person:
        """Another session of somebody, as if they had signed in at that time."""
        now = at or utc_now()
        row = SessionRow(
            id=new_id(),
            user_id=user_id,
            secret=b"s" * 32,
            generation=1,
            rotated_at=now,
            idle_expires_at=utc_now() + timedelta(days=30),
            expires_at=utc_now() + timedelta(days=90),
            revoked_at=None,
        )
        others = {"authenticated_at": now, "created_at": now, "last_seen_at": now, "address": ADDRESS}
        async with self.core.database.independent() as unit:
            await unit.session.execute(insert(Session).values(**msgspec.structs.asdict(row), **others))
        pair = self.core.services.get(TokenIssuer).issue(row, utc_now())
        return Person(user_id, email, row.id, pair.access_token, pair.refresh_token)

    def client(self, person: Person | None = None, **options: Any) -> httpx.AsyncClient:
        """A client of the app, signed in as the person."""
        assert isinstance(self.owner, Litestar), "a client needs an app"
        return client_of(self.owner, headers=person.headers if person else {}, **options)

    @staticmethod
    async def _role(session: Any, name: str, permissions: list[str]) -> UUID:
        role_id = new_id()
        now = utc_now()
        await session.execute(insert(Role).values(id=role_id, name=name, created_at=now, updated_at=now, version=1))
        if permissions:
            await session.execute(insert(RolePermission), [{"role_id": role_id, "code": c} for c in permissions])
        return role_id


def _select_role(user_id: UUID, name: str) -> Any:
    return select(literal(user_id, User.id.type), Role.id).where(Role.name == name)

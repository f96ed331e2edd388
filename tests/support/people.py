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
from sqlalchemy import bindparam, insert, select

from app.core import Core
from app.domain.accounts.dtos import Registration
from app.domain.accounts.models import Profile, Role, RolePermission, User, UserRole
from app.domain.accounts.services.identity import with_keys
from app.domain.auth.models import ApiKey, Session
from app.domain.auth.repositories.sessions import SessionRow
from app.domain.auth.services.api_keys import PREFIX
from app.domain.auth.services.devices import device_key
from app.domain.auth.services.tokens import TokenIssuer
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.base import new_id, table_of
from app.lib.db.prepared import prepare
from app.lib.db.uow import UnitOfWork
from app.lib.security.opaque import digest, new_secret, with_checksum
from tests.support.apps import ADDRESS, QUICK_HASHES, client_of, core_of

PASSWORD = "a fine day to sail"
HASHER = PasswordHasher(
    time_cost=QUICK_HASHES["time_cost"],
    memory_cost=QUICK_HASHES["memory_cost"],
    parallelism=QUICK_HASHES["parallelism"],
)

NEW_USER: dict[str, Any] = {
    "locale": "en",
    "is_active": True,
    "is_verified": False,
    "is_superuser": False,
    "is_service": False,
    "must_change_password": False,
    "metadata": {},
    "deleted_at": None,
}
NEW_ROLE = {"description": None, "requires_mfa": False}
NEW_PROFILE = dict.fromkeys(["first_name", "last_name", "bio", "avatar_url"])

_insert_user = prepare(insert(table_of(User)))
_insert_profile = prepare(insert(table_of(Profile)))
_insert_session = prepare(insert(table_of(Session)))
_insert_key = prepare(insert(table_of(ApiKey)))
_insert_role = prepare(insert(table_of(Role)))
_insert_permission = prepare(insert(table_of(RolePermission)))
_insert_user_role = prepare(insert(table_of(UserRole)))
_find_role = prepare(select(Role.id).where(Role.name == bindparam("name")), UUID)


def stamps_at(moment: datetime) -> dict[str, Any]:
    """The columns that every entity has, of one that was made at that time."""
    return {"created_at": moment, "updated_at": moment, "version": 1}


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
    """Of :data:`PASSWORD`, made once."""
    return HASHER.hash(PASSWORD)


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
        self.core = core_of(owner)
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
        user_id: UUID = values.pop("id", None) or new_id()
        address = email or f"person{self._count}@example.com"
        names = {"email": address, "name": name, "username": username}
        stamps = stamps_at(values.get("created_at") or utc_now())
        row = with_keys({**NEW_USER, **stamps, "password_hash": password_hash(), **names, **values})
        async with self.core.database.independent() as unit:
            await unit.execute(_insert_user, id=user_id, **row)
            await unit.execute(_insert_profile, id=new_id(), user_id=user_id, **NEW_PROFILE, **stamps)
            role_ids = [await unit.first(_find_role, name=role) for role in roles]
            if wanted := list(permissions):
                role_ids.append(await self._role(unit, f"made-for-{self._count}", wanted))
            await unit.execute_many(_insert_user_role, [{"user_id": user_id, "role_id": each} for each in role_ids])
            return await self._sign_in(unit, user_id, address, signed_in_at or utc_now())

    async def role(self, name: str, permissions: Iterable[str] = (), **values: Any) -> UUID:
        """A role with these permissions."""
        async with self.core.database.independent() as unit:
            return await self._role(unit, name, list(permissions), **values)

    async def sign_in(self, user_id: UUID, email: str, *, at: datetime | None = None) -> Person:
        """Another session of a user, as if they had signed in at that time."""
        async with self.core.database.independent() as unit:
            return await self._sign_in(unit, user_id, email, at or utc_now())

    async def key(self, user_id: UUID, scopes: Iterable[str] = (), **values: Any) -> str:
        """An API key of a user."""
        key, now = with_checksum(new_secret(PREFIX)), utc_now()
        unused = dict.fromkeys(("last_used_at", "revoked_at", "revoked_reason"))
        row = {"id": new_id(), "name": "Nightly", "created_at": now, "expires_at": now + timedelta(days=1), **unused}
        row |= {"user_id": user_id, "digest": digest(key), "scopes": ",".join(scopes), **values}
        async with self.core.database.independent() as unit:
            await unit.execute(_insert_key, **row)
        return key

    async def _sign_in(self, unit: UnitOfWork, user_id: UUID, email: str, at: datetime) -> Person:
        row = SessionRow(
            id=new_id(),
            user_id=user_id,
            secret=b"s" * 32,
            generation=1,
            rotated_at=at,
            idle_expires_at=utc_now() + timedelta(days=30),
            expires_at=utc_now() + timedelta(days=90),
            revoked_at=None,
        )
        times = {"authenticated_at": at, "created_at": at, "last_seen_at": at}
        key = device_key(Origin(address=ADDRESS, user_agent=f"python-httpx/{httpx.__version__}"))
        others = dict.fromkeys(("user_agent", "revoked_reason", "impersonator_id", "impersonator_session_id"))
        others |= {"address": ADDRESS, "device_key": key}
        await unit.execute(_insert_session, **msgspec.structs.asdict(row), **times, **others)
        pair = self.core.services.get(TokenIssuer).issue(row, utc_now())
        return Person(user_id, email, row.id, pair.access_token, pair.refresh_token)

    def client(self, person: Person | None = None, **options: Any) -> httpx.AsyncClient:
        """A client of the app, signed in as the person."""
        assert isinstance(self.owner, Litestar), "a client needs an app"
        return client_of(self.owner, headers=person.headers if person else {}, **options)

    @staticmethod
    async def _role(unit: UnitOfWork, name: str, permissions: list[str], **values: Any) -> UUID:
        role_id = new_id()
        await unit.execute(_insert_role, id=role_id, name=name, **NEW_ROLE | values, **stamps_at(utc_now()))
        await unit.execute_many(_insert_permission, [{"role_id": role_id, "code": code} for code in permissions])
        return role_id

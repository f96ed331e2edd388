"""Every statement about identities and attempts."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Uuid, bindparam, delete, insert, select, update

from app.domain.accounts.models import User
from app.domain.identities.dtos import IdentityRead
from app.domain.identities.errors import IdentityTaken
from app.domain.identities.models import Identity, ProviderAttempt
from app.domain.identities.settings import MAX_PROVIDERS
from app.lib.db.base import table_of
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.repositories import Repository
from app.lib.db.statements import delete_batch, insert_or_update


class AttemptRow(msgspec.Struct, frozen=True):
    """An attempt that is good now. See :class:`ProviderAttempt`."""

    id: UUID
    provider: str
    sealed: bytes
    expires_at: datetime


class IdentityRow(msgspec.Struct, frozen=True):
    """What unlinking reads of a user's identities."""

    id: UUID
    provider: str
    issuer: str


_identities, _attempts = table_of(Identity), table_of(ProviderAttempt)
_USER_ID = bindparam("user_id", type_=Uuid())
_NOW = bindparam("now", type_=_attempts.c.expires_at.type)
_new_attempt = prepare(insert(_attempts))
_use_attempt = prepare(
    delete(_attempts)
    .where(
        _attempts.c.state_digest == bindparam("state_digest"),
        _attempts.c.secret_digest == bindparam("secret_digest"),
        _attempts.c.expires_at > _NOW,
    )
    .returning(*columns_of(AttemptRow, ProviderAttempt)),
    AttemptRow,
)
PURGE_ATTEMPTS = prepare(delete_batch(_attempts, _attempts.c.expires_at < _NOW))
IDENTITY_OWNER = prepare(
    select(_identities.c.user_id).where(
        _identities.c.issuer == bindparam("issuer"), _identities.c.subject == bindparam("subject")
    ),
    UUID,
)
OWN_IDENTITIES = prepare(
    select(*columns_of(IdentityRead, Identity))
    .where(_identities.c.user_id == _USER_ID)
    .order_by(_identities.c.id)
    .limit(MAX_PROVIDERS * 2),
    IdentityRead,
)
HELD_USER = prepare(select(User.id).where(User.id == _USER_ID, User.is_active).with_for_update(), UUID)
"""An active user, locked, so that two of their ways in cannot go at the same time."""
IDENTITIES_OF = prepare(
    select(*columns_of(IdentityRow, Identity)).where(_identities.c.user_id == _USER_ID), IdentityRow
)
_NEW = tuple(column.name for column in _identities.c)
_link = prepare(
    insert_or_update(_identities)
    .from_select(
        list(_NEW),
        select(*(bindparam(name, type_=_identities.c[name].type) for name in _NEW))
        .where(
            User.id == _USER_ID,
            User.email_key == bindparam("email_key"),
            User.password_hash == bindparam("password_hash"),
            User.is_active,
        )
        .with_for_update(read=True),
    )
    .on_conflict_do_nothing()
)
_used = prepare(
    update(_identities)
    .where(_identities.c.issuer == bindparam("issuer"), _identities.c.subject == bindparam("subject"))
    .values(last_used_at=_NOW, email=bindparam("email"))
)
_unlink = prepare(delete(_identities).where(_identities.c.id == bindparam("identity_id", type_=Uuid())))
_delete_of = prepare(delete(_identities).where(_identities.c.user_id == _USER_ID))


class AttemptRepository(Repository):
    async def create(self, **values: Any) -> None:
        await self.unit.execute(_new_attempt, **values)

    async def use(self, *, state_digest: bytes, secret_digest: bytes, now: datetime) -> AttemptRow | None:
        """Takes an attempt out, for exactly one of many who try."""
        return await self.unit.first(_use_attempt, state_digest=state_digest, secret_digest=secret_digest, now=now)


class IdentityRepository(Repository):
    async def create(self, *, email_key: str, password_hash: str, **values: Any) -> None:
        """Links an identity to an active user who still has this address and password. Raises ``IdentityTaken``, also
        when there is no such user any more.
        """
        if await self.unit.execute(_link, **values, email_key=email_key, password_hash=password_hash) != 1:
            raise IdentityTaken

    async def record_use(self, issuer: str, subject: str, email: str | None, now: datetime) -> None:
        await self.unit.execute(_used, issuer=issuer, subject=subject, email=email, now=now)

    async def delete(self, identity_id: UUID) -> None:
        await self.unit.execute(_unlink, identity_id=identity_id)

    async def delete_of(self, user_id: UUID) -> None:
        await self.unit.execute(_delete_of, user_id=user_id)

"""Every statement about identities and attempts."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Uuid, bindparam, delete, insert, select, update

from app.domain.accounts.models import User
from app.domain.identities.dtos import IdentityRead
from app.domain.identities.models import Identity, ProviderAttempt
from app.domain.identities.settings import MAX_PROVIDERS
from app.lib.db.base import table_of
from app.lib.db.prepared import columns_of, prepare
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
CREATE_ATTEMPT = prepare(insert(_attempts))
USE_ATTEMPT = prepare(
    delete(_attempts)
    .where(
        _attempts.c.state_digest == bindparam("state_digest"),
        _attempts.c.secret_digest == bindparam("secret_digest"),
        _attempts.c.expires_at > _NOW,
    )
    .returning(*columns_of(AttemptRow, ProviderAttempt)),
    AttemptRow,
)
"""Takes an attempt out, for exactly one of many who try."""
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
LINK_IDENTITY = prepare(
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
"""One row for an active user who still has this address and password, and where no one else has the identity."""
RECORD_USE = prepare(
    update(_identities)
    .where(_identities.c.issuer == bindparam("issuer"), _identities.c.subject == bindparam("subject"))
    .values(last_used_at=_NOW, email=bindparam("email"))
)
UNLINK = prepare(delete(_identities).where(_identities.c.id == bindparam("identity_id", type_=Uuid())))
DELETE_IDENTITIES_OF = prepare(delete(_identities).where(_identities.c.user_id == _USER_ID))

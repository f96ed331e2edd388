"""Every statement about sign-ins that wait for a second factor."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy import Uuid, bindparam, delete, insert, or_, select, update

from app.domain.accounts.models import User
from app.domain.auth.models import MfaToken
from app.lib.db.base import table_of
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.repositories import Repository
from app.lib.db.statements import delete_batch
from app.lib.security.opaque import digest

LIFETIME = timedelta(minutes=5)
TRIES = 5
_OF_A_NETWORK, _OF_A_USER = 5, 1_000
"""At a time. Who knows the password needs 200 networks to push out what the owner has begun elsewhere."""

_tokens = table_of(MfaToken)
_USER_ID = bindparam("user_id", type_=Uuid())
_NOW = bindparam("now", type_=_tokens.c.expires_at.type)
_create = prepare(
    insert(_tokens).from_select(
        list(_tokens.c.keys()),
        select(*(bindparam(each.key, type_=each.type) for each in _tokens.c))
        .where(User.id == _USER_ID, User.password_hash == bindparam("password_hash"), User.is_active)
        .with_for_update(read=True, key_share=True),
    )
)
_newest = select(_tokens.c.digest).where(_tokens.c.user_id == _USER_ID).order_by(_tokens.c.expires_at.desc())
_NETWORK = bindparam("network_digest", type_=_tokens.c.network_digest.type)
_delete_excess = prepare(
    delete(_tokens).where(
        or_(
            _tokens.c.digest.in_(_newest.where(_tokens.c.network_digest == _NETWORK).offset(_OF_A_NETWORK)),
            _tokens.c.digest.in_(_newest.offset(_OF_A_USER)),
        )
    )
)
DELETE_TOKENS_OF = prepare(delete(_tokens).where(_tokens.c.user_id == _USER_ID))
_is_it = _tokens.c.digest == bindparam("digest")
USE_TOKEN = prepare(delete(_tokens).where(_is_it))
"""One row, for exactly one of many who try."""
PURGE_TOKENS = prepare(delete_batch(_tokens, _tokens.c.expires_at < _NOW))


class MfaTokenRow(msgspec.Struct, frozen=True):
    """A sign-in that waits. ``way`` is how it began, ``password_digest`` of the hash that the user had then."""

    user_id: UUID
    password_digest: bytes
    way: str


TAKE_TRY = prepare(
    update(_tokens)
    .where(_is_it, _tokens.c.tries_left > 0, _tokens.c.expires_at > _NOW)
    .values(tries_left=_tokens.c.tries_left - 1)
    .returning(*columns_of(MfaTokenRow, MfaToken)),
    MfaTokenRow,
)
"""Takes one of the tries, for no more requests than there are tries; no row when none is left, or no token."""
MFA_TOKEN = prepare(
    select(*columns_of(MfaTokenRow, MfaToken)).where(
        MfaToken.digest == bindparam("digest"), MfaToken.tries_left > 0, MfaToken.expires_at > _NOW
    ),
    MfaTokenRow,
)
"""One that is good."""


class MfaTokenRepository(Repository):
    async def create(
        self, token: str, user_id: UUID, password_hash: str, way: str, network: str, now: datetime
    ) -> bool:
        """Adds a token of an active user whose password still has this hash; False when there is no such user."""
        values = {"user_id": user_id, "way": way, "tries_left": TRIES, "expires_at": now + LIFETIME}
        digests = {"digest": digest(token), "password_digest": digest(password_hash)}
        digests["network_digest"] = digest(network)
        if await self.unit.execute(_create, **values, **digests, password_hash=password_hash) != 1:
            return False
        await self.unit.execute(_delete_excess, user_id=user_id, network_digest=digests["network_digest"])
        return True

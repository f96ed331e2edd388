"""Every statement about API keys."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Uuid, bindparam, delete, func, insert, or_, select, type_coerce, update

from app.domain.accounts.models import User
from app.domain.auth.dtos.api_keys import MAX_KEYS, ApiKeyRead
from app.domain.auth.models import ApiKey
from app.domain.auth.repositories.second_factors import debt
from app.domain.auth.repositories.sessions import user_permissions
from app.lib.db.base import SplitSet, SplitText, table_of
from app.lib.db.prepared import PreparedIn, columns_of, prepare
from app.lib.db.repositories import Repository
from app.lib.db.statements import delete_batch
from app.lib.security.principal import Debt, Principal


class KeyRow(msgspec.Struct, frozen=True):
    """A key, also one that is good no more, with what its user may do now."""

    id: UUID
    user_id: UUID
    digest: bytes
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    is_active: bool
    is_superuser: bool
    is_verified: bool
    permissions: frozenset[str]
    owes: Debt | None

    def is_good(self, now: datetime) -> bool:
        return self.revoked_at is None and self.expires_at > now and self.is_active

    def was_used_since(self, moment: datetime) -> bool:
        return self.last_used_at is not None and self.last_used_at > moment

    def to_principal(self) -> Principal:
        """With the scopes that the user holds, of a superuser all of them, and nothing else: it is no superuser."""
        return Principal(
            user_id=self.user_id,
            session_id=self.id,
            authenticated_at=self.created_at,
            is_superuser=False,
            permissions=self.scopes if self.is_superuser else self.scopes & self.permissions,
            is_verified=self.is_verified,
            means="api_key",
            owes=self.owes,
        )


_keys = table_of(ApiKey)
_rows = select(
    *columns_of(
        KeyRow,
        ApiKey,
        scopes=type_coerce(ApiKey.scopes, SplitSet()),
        is_active=User.is_active,
        is_superuser=User.is_superuser,
        is_verified=User.is_verified,
        permissions=type_coerce(user_permissions, SplitSet()),
        owes=debt,
    )
).join(User, User.id == ApiKey.user_id)
KEYS_BY_DIGEST = PreparedIn(_rows, ApiKey.digest, KeyRow)
KEYS = PreparedIn(_rows, ApiKey.id, KeyRow)

_KEY_ID = bindparam("key_id", type_=Uuid())
_USER_ID = bindparam("user_id", type_=Uuid())
_NOW = bindparam("now", type_=_keys.c.created_at.type)
_is_live = (_keys.c.revoked_at.is_(None), _keys.c.expires_at > _NOW)
_live = (
    select(*columns_of(ApiKeyRead, ApiKey, scopes=type_coerce(ApiKey.scopes, SplitText())))
    .where(ApiKey.user_id == _USER_ID, *_is_live)
    .order_by(ApiKey.id.desc())
    .limit(MAX_KEYS)
)
LIVE_KEYS = prepare(_live, ApiKeyRead)
"""A user's keys that are good, the newest first."""
LIVE_KEY = prepare(_live.where(ApiKey.id == _KEY_ID), ApiKeyRead)
_create = prepare(insert(_keys))
_count_live = prepare(select(func.count()).select_from(_keys).where(_keys.c.user_id == _USER_ID, *_is_live), int)
_is_dead = (_keys.c.user_id == _USER_ID, or_(_keys.c.revoked_at.is_not(None), _keys.c.expires_at <= _NOW))
_newest_dead = select(_keys.c.id).where(*_is_dead).order_by(_keys.c.id.desc()).limit(MAX_KEYS)
_delete_older_dead = prepare(delete(_keys).where(*_is_dead, _keys.c.id.not_in(_newest_dead)))
_revoking = update(_keys).where(_keys.c.user_id == _USER_ID, *_is_live)
_revoking = _revoking.values(revoked_at=_NOW, revoked_reason=bindparam("reason"))
REVOKE_KEY = prepare(_revoking.where(_keys.c.id == _KEY_ID))
"""No row when it is good no more, or none of the user's."""
REVOKE_KEYS_OF = prepare(_revoking)
_write_use = prepare(
    update(_keys)
    .where(_keys.c.id == _KEY_ID, or_(_keys.c.last_used_at.is_(None), _keys.c.last_used_at < bindparam("before")))
    .values(last_used_at=_NOW)
)
PURGE_KEYS = prepare(delete_batch(_keys, _keys.c.expires_at < _NOW))


class ApiKeyRepository(Repository):
    async def create(self, now: datetime, **values: Any) -> bool:
        """Adds a key, unless the user, who has to be locked, has :data:`MAX_KEYS` already. Of those that are good no
        more, as many stay.
        """
        user_id = values["user_id"]
        if (await self.unit.first(_count_live, user_id=user_id, now=now) or 0) >= MAX_KEYS:
            return False
        await self.unit.execute(_delete_older_dead, user_id=user_id, now=now)
        unused = dict.fromkeys(("last_used_at", "revoked_at", "revoked_reason"))
        await self.unit.execute(_create, **values, created_at=now, **unused)
        return True

    async def write_uses(self, used: Iterable[UUID], now: datetime, interval: timedelta) -> None:
        """Writes down that keys were used, unless another process has done so within the interval."""
        rows = [{"key_id": key_id, "now": now, "before": now - interval} for key_id in sorted(used)]
        await self.unit.execute_many(_write_use, rows)

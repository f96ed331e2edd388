"""Secrets by which programs act as users."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.domain.accounts.errors import AccountGone, UserNotFound
from app.domain.accounts.models import User
from app.domain.accounts.repositories.users import UserRepository
from app.domain.accounts.services.access import check_reach
from app.domain.auth.dtos.api_keys import MAX_KEYS, ApiKeyCreate, ApiKeyPage, ApiKeyRead, ApiKeyWithSecret
from app.domain.auth.errors import ApiKeyNotFound, OwnKeysOnly, TooManyApiKeys
from app.domain.auth.events import ApiKeyCreated, ApiKeyRevoked
from app.domain.auth.repositories.api_keys import LIVE_KEY, LIVE_KEYS, REVOKE_KEY, ApiKeyRepository
from app.domain.auth.repositories.sessions import SessionRepository
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.engine import Database
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.domain import Permissions
from app.lib.errors import FieldCode, InvalidState, ValidationFailed, unknown_items
from app.lib.events import Events
from app.lib.jobs.background import wait_for_signal
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import page_of
from app.lib.pagination.parameters import PageRequest
from app.lib.security.opaque import digest, new_secret, with_checksum
from app.lib.security.principal import Principal

PREFIX = "ldk_"
USE_INTERVAL = timedelta(minutes=1)
"""How exactly the last use of a key is known."""
_GATHER_SECONDS = 1.0
_FOREVER = 3600.0


@dataclass
class ApiKeyService:
    """Creates and revokes API keys."""

    unit: UnitOfWork
    registry: Permissions
    events: Events
    origin: Origin
    _users: UserRepository
    _keys: ApiKeyRepository
    _sessions: SessionRepository

    async def create_own(self, data: ApiKeyCreate, actor: Principal) -> ApiKeyWithSecret:
        """A key of the caller.

        Raises ``ValidationFailed`` for scopes that the caller does not hold, ``TooManyApiKeys``, ``AccountGone``, or
        ``SessionEnded`` when the session ended a moment ago: the keys may have been revoked with it.
        """
        try:
            user = await self._users.get_for_update(actor.user_id, key_share=True)
        except UserNotFound:
            raise AccountGone from None
        await self._sessions.check_live(actor.session_id)
        return await self._create(data, user)

    async def create_for(self, account_id: UUID, data: ApiKeyCreate, actor: Principal) -> ApiKeyWithSecret:
        """A key of a service account, whom the actor may change.

        Raises ``UserNotFound``, ``BeyondOwnRights``, ``OwnKeysOnly``, ``ValidationFailed`` for scopes that the account
        does not hold, ``InvalidState`` while it is deactivated, or ``TooManyApiKeys``.
        """
        user = await self._users.get_for_update(account_id, key_share=True)
        await check_reach(actor, user, self._users)
        if not user.is_service:
            raise OwnKeysOnly
        if not user.is_active:
            raise InvalidState("The service account is deactivated.")
        return await self._create(data, user)

    async def revoke(self, key_id: UUID, actor: Principal, *, user_id: UUID | None = None) -> None:
        """Ends a key of the caller, or of another user, whom the actor may change.

        Raises ``ApiKeyNotFound``, ``UserNotFound`` or ``BeyondOwnRights``.
        """
        owner_id = user_id or actor.user_id
        if owner_id != actor.user_id:
            user = await self._users.get_for_update(owner_id, key_share=True)
            await check_reach(actor, user, self._users)
        revoked = {"key_id": key_id, "user_id": owner_id, "now": utc_now(), "reason": "revoked"}
        if not await self.unit.execute(REVOKE_KEY, **revoked):
            raise ApiKeyNotFound
        await self.events.publish(self.unit, ApiKeyRevoked(user_id=owner_id))
        await audit.record(self.unit, "api_key.revoked", self.origin, subject_id=owner_id, api_key_id=str(key_id))

    async def _create(self, data: ApiKeyCreate, user: User) -> ApiKeyWithSecret:
        held = self.registry if user.is_superuser else await self._users.permissions_of(user.id) & self.registry.keys()
        detail = "There is no such permission, or the user of the key does not hold it."
        if unknown := unknown_items("/scopes", data.scopes, held, FieldCode.INVALID_CHOICE, detail):
            raise ValidationFailed(unknown)
        now, key = utc_now(), with_checksum(new_secret(PREFIX))
        scopes, expires_at = sorted(set(data.scopes)), now + timedelta(days=data.expires_in_days)
        key_id = new_id()
        values = {"id": key_id, "user_id": user.id, "name": data.name, "expires_at": expires_at}
        if not await self._keys.create(now, **values, digest=digest(key), scopes=",".join(scopes)):
            raise TooManyApiKeys(MAX_KEYS)
        created = ApiKeyWithSecret(
            id=key_id,
            name=data.name,
            scopes=scopes,
            created_at=now,
            expires_at=expires_at,
            last_used_at=None,
            key=key,
        )
        event = ApiKeyCreated(aggregate_id=key_id, aggregate_version=0, user_id=user.id)
        await self.events.publish(self.unit, event)
        details = {"api_key_id": str(created.id), "scopes": scopes, "expires_at": expires_at.isoformat()}
        await audit.record(self.unit, "api_key.created", self.origin, subject_id=user.id, **details)
        return created


@dataclass
class ApiKeyQueries:
    """What is shown of API keys; reads only."""

    reader: Reader
    cursors: CursorCodec

    async def list(self, paging: PageRequest, user_id: UUID) -> ApiKeyPage:
        """Those that are good, the newest first."""
        keys = await self.reader.all(LIVE_KEYS, user_id=user_id, now=utc_now())
        return page_of(ApiKeyPage, "api_keys", keys, paging, self.cursors)

    async def get(self, key_id: UUID, user_id: UUID) -> ApiKeyRead:
        """Raises ``ApiKeyNotFound``."""
        return await self.reader.one(LIVE_KEY, ApiKeyNotFound, key_id=key_id, user_id=user_id, now=utc_now())


class KeyUses:
    """Writes down when keys were used, after the requests and many at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._used: set[UUID] = set()
        self._has_used = asyncio.Event()

    def note(self, key_id: UUID) -> None:
        """Does not wait."""
        self._used.add(key_id)
        self._has_used.set()

    async def write(self) -> None:
        """Waits for uses, and writes them."""
        if not self._used and not await wait_for_signal(self._has_used, _FOREVER):
            return
        await asyncio.sleep(_GATHER_SECONDS)
        used = frozenset(self._used)
        async with self._database.independent() as unit:
            await ApiKeyRepository(unit).write_uses(used, utc_now(), USE_INTERVAL)
        self._used -= used

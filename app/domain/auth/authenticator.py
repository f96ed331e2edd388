"""From an access token or an API key to a principal, with few queries."""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

import msgspec

from app.domain.auth.errors import KeyRefused, SessionEnded
from app.domain.auth.permissions import USERS_IMPERSONATE
from app.domain.auth.repositories.api_keys import KEYS, KEYS_BY_DIGEST
from app.domain.auth.repositories.sessions import PRINCIPALS
from app.domain.auth.services.api_keys import PREFIX, USE_INTERVAL, KeyUses
from app.lib.clock import utc_now
from app.lib.db.reader import Reader
from app.lib.errors import InvalidToken
from app.lib.security.opaque import digest, is_intact
from app.lib.security.principal import Principal
from app.lib.security.tokens import AccessClaims, TokenSigner

_MAX_TOKENS = 20_000
_MAX_PRINCIPALS = 20_000
_AT_ONCE = 4096
"""Ids in one statement; databases take some thirty thousand."""


class _Remembered(msgspec.Struct, frozen=True):
    principal: Principal
    good_until: float


class SessionAuthenticator:
    """Remembers verified tokens until they expire, and principals for at most ``cache_seconds``.

    A principal is dropped at once by any write that touches it: in this process directly, in the others by a hint. When
    that is lost, they see the write when their copy is too old, so within a second. A read that began before such a
    write is never remembered after it.
    """

    def __init__(self, signer: TokenSigner, reader: Reader, key_uses: KeyUses, cache_seconds: float) -> None:
        self._signer = signer
        self._reader = reader
        self._key_uses = key_uses
        self._cache_seconds = cache_seconds
        self._verified = lru_cache(_MAX_TOKENS)(signer.read_access)
        # By the id of a session, or the digest of an API key.
        self._principals: OrderedDict[UUID | bytes, _Remembered] = OrderedDict()
        self._known_of: defaultdict[UUID, set[UUID | bytes]] = defaultdict(set)
        self._epoch = 0

    async def authenticate(self, token: str) -> Principal:
        """The user of an access token or an API key.

        Raises ``InvalidToken`` when it is not good, or the session or its user is not any more, and ``KeyRefused`` for
        a key that was good once.
        """
        if token.startswith(PREFIX):
            return await self._of_key(token)
        claims = self._claims(token)
        principal = await self.of_session(claims.session_id)
        actor_id = claims.act.user_id if claims.act else None
        if (principal.user_id, principal.impersonator_id) != (claims.user_id, actor_id):
            raise InvalidToken
        return principal

    async def of_session(self, session_id: UUID) -> Principal:
        """Raises ``SessionEnded`` when the session or its user is not good any more."""
        return self._recall(session_id) or await self._remember(session_id, self._read_session(session_id))

    async def _of_key(self, key: str) -> Principal:
        if not is_intact(key, PREFIX):
            raise InvalidToken
        key_digest = digest(key)
        return self._recall(key_digest) or await self._remember(key_digest, self._read_key(key_digest))

    async def _read_session(self, session_id: UUID) -> Principal:
        principal = await self._reader.find(PRINCIPALS, session_id, now=utc_now())
        if principal is None:
            raise SessionEnded
        if principal.impersonator_session_id is None:
            return principal
        support = await self._reader.find(PRINCIPALS, principal.impersonator_session_id, now=utc_now())
        limited = _limited(principal, support)
        if limited is None:
            raise SessionEnded
        return limited

    async def _read_key(self, key_digest: bytes) -> Principal:
        row, now = await self._reader.find(KEYS_BY_DIGEST, key_digest), utc_now()
        if row is None:
            raise InvalidToken
        if not row.is_good(now):
            raise KeyRefused(row.id, row.user_id)
        if not row.was_used_since(now - USE_INTERVAL):
            self._key_uses.note(row.id)
        return row.to_principal()

    def _recall(self, key: UUID | bytes) -> Principal | None:
        remembered = self._principals.get(key)
        if remembered is not None and remembered.good_until > time.monotonic():
            return remembered.principal
        return None

    async def _remember(self, key: UUID | bytes, reading: Awaitable[Principal]) -> Principal:
        epoch, started = self._epoch, time.monotonic()
        principal = await reading
        if not self._cache_seconds or epoch != self._epoch:
            return principal
        self._principals[key] = _Remembered(principal, started + self._cache_seconds)
        self._principals.move_to_end(key)
        for user_id in _people_of(principal):
            self._known_of[user_id].add(key)
        if len(self._principals) > _MAX_PRINCIPALS:
            oldest_key, oldest = self._principals.popitem(last=False)
            for user_id in _people_of(oldest.principal):
                self._known_of[user_id].discard(oldest_key)
                if not self._known_of[user_id]:
                    del self._known_of[user_id]
        return principal

    async def of_sessions(self, ids: Iterable[UUID]) -> dict[UUID, Principal]:
        """By their ids, the principals of the sessions and API keys that are good now, without the cache."""
        found = await self._read_many(ids)
        support = await self._read_many(each.impersonator_session_id for each in found.values())
        limited = {key: _limited(each, support.get(each.impersonator_session_id)) for key, each in found.items()}
        return {key: each for key, each in limited.items() if key is not None and each is not None}

    async def _read_many(self, ids: Iterable[UUID | None]) -> dict[UUID | None, Principal]:
        found: dict[UUID | None, Principal] = {}
        now, wanted = utc_now(), [each for each in dict.fromkeys(ids) if each is not None]
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            prepared, values = PRINCIPALS.of(some)
            found |= {each.session_id: each for each in await self._reader.all(prepared, now=now, **values)}
            if others := [each for each in some if each not in found]:
                keys, values = KEYS.of(others)
                rows = await self._reader.all(keys, **values)
                found |= {each.id: each.to_principal() for each in rows if each.is_good(now)}
        return found

    def expiry_of(self, token: str) -> datetime | None:
        """When an access token expires; None for an API key. Raises ``InvalidToken``."""
        return None if token.startswith(PREFIX) else datetime.fromtimestamp(self._claims(token).exp, UTC)

    def forget(self, user_id: UUID | None) -> None:
        """Drops what is cached of a user, or of all users."""
        self._epoch += 1
        if user_id is None:
            self._principals.clear()
            self._known_of.clear()
            return
        for key in self._known_of.pop(user_id, ()):
            self._principals.pop(key, None)

    def _claims(self, token: str) -> AccessClaims:
        claims = self._verified(token)
        return claims if claims.exp > time.time() else self._signer.read_access(token)


def _people_of(principal: Principal) -> set[UUID]:
    """Those whose changes touch it."""
    return {principal.user_id, *filter(None, [principal.impersonator_id])}


def _limited(principal: Principal, support: Principal | None) -> Principal | None:
    """Of an impersonation: with no more rights than the support, and None when they may not do so any more."""
    if principal.impersonator_session_id is None:
        return principal
    if support is None or support.owes or principal.is_superuser or not support.may(USERS_IMPERSONATE):
        return None
    held = principal.permissions if support.is_superuser else principal.permissions & support.permissions
    return msgspec.structs.replace(principal, permissions=held)

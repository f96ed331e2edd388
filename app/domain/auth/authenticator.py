"""From an access token to a principal, with few queries."""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

import msgspec

from app.domain.auth.errors import SessionEnded
from app.domain.auth.repositories.sessions import PRINCIPALS
from app.lib.clock import utc_now
from app.lib.db.reader import Reader
from app.lib.errors import InvalidToken
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

    def __init__(self, signer: TokenSigner, reader: Reader, cache_seconds: float) -> None:
        self._signer = signer
        self._reader = reader
        self._cache_seconds = cache_seconds
        self._verified = lru_cache(_MAX_TOKENS)(signer.read_access)
        self._principals: OrderedDict[UUID, _Remembered] = OrderedDict()
        self._sessions_of: defaultdict[UUID, set[UUID]] = defaultdict(set)
        self._epoch = 0

    async def authenticate(self, token: str) -> Principal:
        """Raises ``InvalidToken`` when the token is not good, or the session or its user is not any more."""
        claims = self._claims(token)
        principal = await self.of_session(claims.session_id)
        if principal.user_id != claims.user_id:
            raise InvalidToken
        return principal

    async def of_session(self, session_id: UUID) -> Principal:
        """Raises ``SessionEnded`` when the session or its user is not good any more."""
        remembered = self._principals.get(session_id)
        if remembered is not None and remembered.good_until > time.monotonic():
            return remembered.principal
        epoch, started = self._epoch, time.monotonic()
        principal = await self._reader.find(PRINCIPALS, session_id, now=utc_now())
        if principal is None:
            raise SessionEnded
        if not self._cache_seconds or epoch != self._epoch:
            return principal
        self._principals[session_id] = _Remembered(principal, started + self._cache_seconds)
        self._principals.move_to_end(session_id)
        self._sessions_of[principal.user_id].add(session_id)
        if len(self._principals) > _MAX_PRINCIPALS:
            oldest_id, oldest = self._principals.popitem(last=False)
            sessions = self._sessions_of[oldest.principal.user_id]
            sessions.discard(oldest_id)
            if not sessions:
                del self._sessions_of[oldest.principal.user_id]
        return principal

    async def of_sessions(self, session_ids: Iterable[UUID]) -> dict[UUID, Principal]:
        """By session, the principals of the sessions that are live now, without the cache."""
        found: dict[UUID, Principal] = {}
        wanted = list(dict.fromkeys(session_ids))
        for start in range(0, len(wanted), _AT_ONCE):
            prepared, values = PRINCIPALS.of(wanted[start : start + _AT_ONCE])
            rows = await self._reader.all(prepared, now=utc_now(), **values)
            found |= {each.session_id: each for each in rows}
        return found

    def expiry_of(self, token: str) -> datetime:
        """When an access token expires. Raises ``InvalidToken``."""
        return datetime.fromtimestamp(self._claims(token).exp, UTC)

    def forget(self, user_id: UUID | None) -> None:
        """Drops what is cached of a user, or of all users."""
        self._epoch += 1
        if user_id is None:
            self._principals.clear()
            self._sessions_of.clear()
            return
        for session_id in self._sessions_of.pop(user_id, ()):
            self._principals.pop(session_id, None)

    def _claims(self, token: str) -> AccessClaims:
        claims = self._verified(token)
        return claims if claims.exp > time.time() else self._signer.read_access(token)

"""From an access token to a principal, with few queries."""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from app.domain.auth.errors import SessionEnded
from app.domain.auth.repositories import SessionReads
from app.lib.clock import utc_now
from app.lib.errors import InvalidToken
from app.lib.security.principal import Principal
from app.lib.security.tokens import AccessClaims, TokenSigner

_MAX_TOKENS = 20_000
_MAX_PRINCIPALS = 20_000


class _Remembered(msgspec.Struct, frozen=True):
    principal: Principal
    good_until: float


class SessionAuthenticator:
    """Remembers verified tokens until they expire, and principals for at most ``cache_seconds``.

    A principal is dropped at once by any write that touches it: in this process directly, in the others by a hint. When
    that is lost, they see the write when their copy is too old, so within a second. A read that began before such a
    write is never remembered after it.
    """

    def __init__(self, signer: TokenSigner, reads: SessionReads, cache_seconds: float) -> None:
        self._signer = signer
        self._reads = reads
        self._cache_seconds = cache_seconds
        self._tokens: OrderedDict[str, AccessClaims] = OrderedDict()
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
        principal = await self._reads.find_principal(session_id, utc_now())
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
        return {each.session_id: each for each in await self._reads.list_principals(session_ids, utc_now())}

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
        claims = self._tokens.get(token)
        if claims is not None:
            if claims.exp > time.time():
                return claims
            del self._tokens[token]
        claims = self._signer.read_access(token)
        self._tokens[token] = claims
        if len(self._tokens) > _MAX_TOKENS:
            self._tokens.popitem(last=False)
        return claims

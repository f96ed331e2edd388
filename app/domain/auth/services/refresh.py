import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.auth.dtos.sessions import TokenPair
from app.domain.auth.errors import RefreshTokenReused, SessionEnded
from app.domain.auth.events import SessionsEnded, TokenReuseDetected
from app.domain.auth.repositories.sessions import HOLD_USER, ROTATE, SESSION, SessionRepository, SessionRow
from app.domain.auth.services.tokens import TokenIssuer
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.engine import Database
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.ratelimit.limiter import Limit, NamedLimit, RateLimiter
from app.lib.security.tokens import RefreshClaims, refresh_jti

GRACE = timedelta(seconds=10)
"""How long after a rotation the token before it still gets the same answer: a retry whose answer was lost."""
PER_SESSION = NamedLimit("refresh.session", Limit.parse("300 per hour"))
"""Refreshes of one session, from wherever."""


@dataclass
class RefreshService:
    """Continues sessions by rotating their refresh tokens."""

    unit: UnitOfWork
    database: Database
    issuer: TokenIssuer
    events: Events
    limiter: RateLimiter
    origin: Origin

    async def refresh(self, refresh_token: str) -> TokenPair:
        """The next pair of tokens.

        The rotation is one conditional UPDATE, so of many parallel refreshes one makes the step, and the others,
        like a retry within ten seconds, get the same refresh token. An older token ends the session.
        Raises ``InvalidToken``, ``SessionEnded``, ``RefreshTokenReused`` or ``RateLimited``.
        """
        claims = self.issuer.signer.read_refresh(refresh_token)
        # Not by user: the holder of a token of an ended session could keep the user's other sessions from going on.
        verdict = await self.limiter.hit(PER_SESSION, str(claims.session_id))
        if not verdict.allowed:
            raise verdict.refusal()
        now = utc_now()
        row = await self.unit.first(
            ROTATE,
            session_id=claims.session_id,
            generation=claims.generation,
            now=now,
            idle_until=now + self.issuer.lifetimes.idle,
            address=self.origin.address,
            user_agent=self.origin.user_agent,
        )
        if row is None:
            row = await self._already_rotated(claims, now)
        elif not _is_of(claims, row):
            raise SessionEnded  # which undoes the step
        return self.issuer.issue(row, now)

    async def _already_rotated(self, claims: RefreshClaims, now: datetime) -> SessionRow:
        row = await self.unit.first(SESSION, session_id=claims.session_id)
        if row is None or row.revoked_at is not None or min(row.idle_expires_at, row.expires_at) <= now:
            raise SessionEnded
        if not _is_of(claims, row):
            raise SessionEnded
        if claims.generation == row.generation - 1 and now - row.rotated_at <= GRACE:
            return row
        if claims.generation >= row.generation:
            raise SessionEnded
        await self._end_reused(row, now)
        raise RefreshTokenReused

    async def _end_reused(self, row: SessionRow, now: datetime) -> None:
        """In its own transaction, which stays although the request is refused."""
        await self.unit.rollback()
        async with self.database.independent() as unit:
            await unit.first(HOLD_USER, user_id=row.user_id)
            has_ended = await SessionRepository(unit).revoke(row.id, row.user_id, now, "token_reused")
            await self.events.publish(unit, SessionsEnded(user_id=row.user_id, session_id=row.id))
            await audit.record(unit, "token.reused", self.origin, subject_id=row.user_id, session_id=str(row.id))
            if has_ended:  # of many replays at the same time, only the first notifies the user
                await self.events.publish(
                    unit, TokenReuseDetected(aggregate_id=row.id, aggregate_version=0, user_id=row.user_id)
                )


def _is_of(claims: RefreshClaims, row: SessionRow) -> bool:
    """Whether the session made the token: who has the key that signs, and not the database, can make none."""
    return hmac.compare_digest(claims.jti.encode(), refresh_jti(row.secret, claims.generation).encode())

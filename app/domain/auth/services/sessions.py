import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.auth.dtos.sessions import TokenPair
from app.domain.auth.errors import RefreshTokenReused, SessionEnded, SessionNotFound
from app.domain.auth.events import SessionsEnded, TokenReuseDetected
from app.domain.auth.repositories.sessions import (
    END_OLDEST,
    HOLD_USER,
    ROTATE,
    SESSION,
    SessionRepository,
    SessionRow,
)
from app.domain.auth.services.devices import device_key
from app.domain.auth.services.tokens import GRACE, TokenIssuer
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.engine import Database
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.ratelimit.limiter import Limit, NamedLimit, RateLimiter
from app.lib.security.principal import Principal
from app.lib.security.tokens import RefreshClaims, refresh_jti

PER_SESSION = NamedLimit("refresh.session", Limit.parse("300 per hour"))
"""Refreshes of one session, from wherever."""


@dataclass
class SessionService:
    """Opens sessions, continues them by rotating their refresh tokens, and ends them with their access tokens."""

    unit: UnitOfWork
    database: Database
    issuer: TokenIssuer
    events: Events
    limiter: RateLimiter
    origin: Origin
    _sessions: SessionRepository

    async def begin(self, user_id: UUID, password_hash: str, *, kind: str, **details: str) -> TokenPair | None:
        """Opens a session of an active user whose password has this hash; None when there is no such user. ``kind`` and
        ``details`` are those of the audit log.
        """
        now, lifetimes = utc_now(), self.issuer.lifetimes
        row = SessionRow(
            id=new_id(),
            user_id=user_id,
            secret=secrets.token_bytes(32),
            generation=1,
            rotated_at=now,
            idle_expires_at=now + min(lifetimes.idle, lifetimes.absolute),
            expires_at=now + lifetimes.absolute,
            revoked_at=None,
        )
        origin = self.origin
        device: dict[str, Any] = {
            "address": origin.address,
            "user_agent": origin.user_agent,
            "device_key": device_key(origin),
        }
        if not await self._sessions.create(row, password_hash, **device):
            return None
        await audit.record(self.unit, kind, self.origin, subject_id=user_id, session_id=str(row.id), **details)
        return self.issuer.issue(row, now)

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

    async def end_oldest(self, user_id: UUID) -> None:
        """Ends the user's sessions beyond the newest 50."""
        for ended in await self.unit.all(END_OLDEST, user_id=user_id, now=utc_now(), reason="too_many"):
            await self.events.publish(self.unit, SessionsEnded(user_id=user_id, session_id=ended))

    async def sign_out(self, principal: Principal) -> None:
        """Ends the current session."""
        user_id = principal.user_id
        await self._sessions.revoke(principal.session_id, user_id, utc_now(), "signed_out")
        await self.events.publish(self.unit, SessionsEnded(user_id=user_id, session_id=principal.session_id))
        kind = "impersonation.ended" if principal.means == "impersonation" else "sign_out"
        await audit.record(self.unit, kind, self.origin, subject_id=user_id)

    async def end(self, session_id: UUID, principal: Principal) -> None:
        """Ends one of the user's sessions. Raises ``SessionNotFound``."""
        user_id = principal.user_id
        if not await self._sessions.revoke(session_id, user_id, utc_now(), "ended"):
            raise SessionNotFound
        await self.events.publish(self.unit, SessionsEnded(user_id=user_id, session_id=session_id))
        await audit.record(self.unit, "session.ended", self.origin, subject_id=user_id, session_id=str(session_id))

    async def sign_out_everywhere(self, principal: Principal, *, keeps_current: bool = False) -> None:
        """Ends all sessions of the user, also the current one unless it is kept."""
        kept = principal.session_id if keeps_current else None
        kind = "sign_out.others" if keeps_current else "sign_out.everywhere"
        ended = await self._sessions.revoke_all(principal.user_id, utc_now(), "signed_out_everywhere", keep=kept)
        await self.events.publish(self.unit, SessionsEnded(user_id=principal.user_id))
        await audit.record(self.unit, kind, self.origin, subject_id=principal.user_id, sessions=ended)

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

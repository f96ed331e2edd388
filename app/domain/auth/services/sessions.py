import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.domain.auth.dtos.sessions import TokenPair
from app.domain.auth.errors import SessionNotFound
from app.domain.auth.events import SessionsEnded
from app.domain.auth.repositories.sessions import END_OLDEST, SessionRepository, SessionRow
from app.domain.auth.services.devices import device_key
from app.domain.auth.services.tokens import TokenIssuer
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.security.principal import Principal


@dataclass
class SessionService:
    """Opens sessions, and ends them with their access tokens."""

    unit: UnitOfWork
    issuer: TokenIssuer
    events: Events
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

from dataclasses import dataclass

from app.domain.auth.events import SessionsEnded
from app.domain.auth.repositories import SessionRepository
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.security.principal import Principal


@dataclass
class SignOutService:
    """Ends sessions for their users. The access tokens end with them."""

    unit: UnitOfWork
    events: Events
    origin: Origin
    _sessions: SessionRepository

    async def sign_out(self, principal: Principal) -> None:
        """Ends the current session."""
        await self._sessions.revoke(principal.session_id, utc_now(), "signed_out")
        await self.events.publish(self.unit, SessionsEnded(user_id=principal.user_id, session_id=principal.session_id))
        await audit.record(self.unit, "sign_out", self.origin, subject_id=principal.user_id)

    async def sign_out_everywhere(self, principal: Principal) -> None:
        """Ends all sessions of the user, also the current one."""
        ended = await self._sessions.revoke_all(principal.user_id, utc_now(), "signed_out_everywhere")
        await self.events.publish(self.unit, SessionsEnded(user_id=principal.user_id))
        await audit.record(self.unit, "sign_out.everywhere", self.origin, subject_id=principal.user_id, sessions=ended)

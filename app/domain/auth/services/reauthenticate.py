from dataclasses import dataclass

from app.domain.accounts.services.passwords import PasswordService
from app.domain.auth.dtos.sessions import SessionRead
from app.domain.auth.errors import SessionEnded
from app.domain.auth.events import SessionReauthenticated
from app.domain.auth.repositories.sessions import OWN_SESSIONS, SessionRepository
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.security.principal import Principal


@dataclass
class ReauthenticationService:
    """Asks users who are signed in for their password, before sensitive acts."""

    unit: UnitOfWork
    passwords: PasswordService
    events: Events
    origin: Origin
    _sessions: SessionRepository

    async def reauthenticate(self, password: str, actor: Principal) -> SessionRead:
        """Makes sensitive acts possible in this session for the next ten minutes.

        Raises ``WrongCurrentPassword``, ``RateLimited`` after too many of these, or ``SessionEnded``.
        """
        await self.passwords.verify_own(password, actor, pointer="/password")
        if not await self._sessions.reauthenticate(actor.session_id, utc_now()):
            raise SessionEnded
        await self.events.publish(self.unit, SessionReauthenticated(user_id=actor.user_id))
        await audit.record(self.unit, "session.reauthenticated", self.origin, subject_id=actor.user_id)
        viewed = {"user_id": actor.user_id, "current_id": actor.session_id}
        own = await self.unit.all(OWN_SESSIONS, **viewed, now=utc_now())
        return next(each for each in own if each.current)

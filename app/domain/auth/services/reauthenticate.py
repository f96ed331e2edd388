from dataclasses import dataclass

from app.domain.accounts.services.passwords import PasswordService
from app.domain.auth.dtos.sessions import Reauthentication, SessionRead
from app.domain.auth.errors import MfaRequired, SessionEnded
from app.domain.auth.events import SessionReauthenticated
from app.domain.auth.repositories.sessions import OWN_SESSIONS, SessionRepository
from app.domain.auth.services.second_factors import SecondFactorService
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.security.principal import Principal


@dataclass
class ReauthenticationService:
    """Asks users who are signed in for their password and their second factor, before sensitive acts."""

    unit: UnitOfWork
    passwords: PasswordService
    factors: SecondFactorService
    events: Events
    origin: Origin
    _sessions: SessionRepository

    async def reauthenticate(self, data: Reauthentication, actor: Principal) -> SessionRead:
        """Makes sensitive acts possible in this session for the next ten minutes.

        Raises ``WrongCurrentPassword``, ``MfaRequired`` for a code that is missing, ``WrongCode``, ``RateLimited``
        after too many of these, or ``SessionEnded``.
        """
        await self.passwords.verify_own(data.password, actor, pointer="/password")
        if (await self.factors.get(actor.user_id)).is_on:
            if data.code is None:
                raise MfaRequired
            await self.factors.use(actor.user_id, data.code)
        return await self.confirm(actor)

    async def confirm(self, actor: Principal) -> SessionRead:
        """To be called when users have shown again who they are. Raises ``SessionEnded``."""
        if not await self._sessions.reauthenticate(actor.session_id, utc_now()):
            raise SessionEnded
        await self.events.publish(self.unit, SessionReauthenticated(user_id=actor.user_id))
        await audit.record(self.unit, "session.reauthenticated", self.origin, subject_id=actor.user_id)
        viewed = {"user_id": actor.user_id, "current_id": actor.session_id}
        own = await self.unit.all(OWN_SESSIONS, **viewed, now=utc_now())
        if (current := next((each for each in own if each.current), None)) is None:
            raise SessionEnded
        return current

from dataclasses import dataclass

from app.domain.accounts.services.passwords import PasswordService
from app.domain.accounts.services.queries import AccountQueries
from app.domain.auth.dtos.sessions import Reauthentication, SessionRead
from app.domain.auth.errors import MfaRequired, NoMailedCode, SessionEnded, WrongCode
from app.domain.auth.events import SessionReauthenticated
from app.domain.auth.jobs import LINK_REQUESTED, MailLink, mail_link
from app.domain.auth.repositories.sessions import OWN_SESSIONS, REAUTHENTICATE
from app.domain.auth.services.links import CodeThrottle, LinkThrottle, MailedLinks, Purpose
from app.domain.auth.services.second_factors import SecondFactorService
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.jobs import enqueue
from app.lib.security.passwords import has_password
from app.lib.security.principal import Principal


@dataclass
class ReauthenticationService:
    """Asks users who are signed in for their password and their second factor, before sensitive acts."""

    unit: UnitOfWork
    accounts: AccountQueries
    passwords: PasswordService
    factors: SecondFactorService
    links: MailedLinks
    link_throttle: LinkThrottle
    code_throttle: CodeThrottle
    events: Events
    origin: Origin

    async def reauthenticate(self, data: Reauthentication, actor: Principal) -> SessionRead:
        """Makes sensitive acts possible in this session for the next ten minutes.

        Raises ``WrongCurrentPassword``, ``InvalidLink`` for a mailed code that is not good, ``MfaRequired`` for a code
        that is missing, ``WrongCode``, ``RateLimited`` after too many of these, or ``SessionEnded``.
        """
        if data.password is not None:
            await self.passwords.verify_own(data.password, actor, pointer="/password")
            await self.use_factor(data.code, actor)
            return await self.confirm(actor)
        key, address = f"reauthenticate\n{actor.user_id}", self.origin.address
        await self.code_throttle.check(key, address)
        link, _ = await self.links.find_by_code(
            Purpose.REAUTHENTICATE,
            actor.user_id,
            data.mailed_code or "",
            session_id=actor.session_id,
            pointer="/mailed_code",
        )
        await self.code_throttle.succeeded(key, address)
        await self.use_factor(data.code, actor)
        await self.links.use(link)
        return await self.confirm(actor)

    async def send_code(self, actor: Principal) -> None:
        """Has a code mailed to a user who has no password, for this session. Raises ``NoMailedCode`` or
        ``RateLimited``.
        """
        user = await self.accounts.get_credentials(actor.user_id)
        if has_password(user.password_hash) or not user.is_verified:
            raise NoMailedCode
        await self.link_throttle.check(f"{Purpose.REAUTHENTICATE}\n{user.id}", self.origin.address)
        await enqueue(self.unit, mail_link, MailLink(user.id, Purpose.REAUTHENTICATE, session_id=actor.session_id))
        await audit.record(self.unit, LINK_REQUESTED, self.origin, subject_id=user.id, purpose=Purpose.REAUTHENTICATE)

    async def needs_code(self, actor: Principal) -> bool:
        """Whether :meth:`use_factor` needs a code."""
        return (await self.factors.get(actor.user_id)).is_on

    async def use_factor(self, code: str | None, actor: Principal, *, pointer: str = "/code") -> None:
        """Of users who have a second factor. Raises ``MfaRequired``, ``WrongCode`` or ``RateLimited``."""
        if not await self.needs_code(actor):
            return
        if code is None:
            raise MfaRequired
        try:
            await self.factors.use(actor.user_id, code)
        except WrongCode:
            raise WrongCode(pointer) from None

    async def confirm(self, actor: Principal) -> SessionRead:
        """To be called when users have shown again who they are. Raises ``SessionEnded``."""
        if not await self.unit.execute(REAUTHENTICATE, session_id=actor.session_id, now=utc_now()):
            raise SessionEnded
        await self.events.publish(self.unit, SessionReauthenticated(user_id=actor.user_id))
        await audit.record(self.unit, "session.reauthenticated", self.origin, subject_id=actor.user_id)
        viewed = {"user_id": actor.user_id, "current_id": actor.session_id}
        own = await self.unit.all(OWN_SESSIONS, **viewed, now=utc_now())
        if (current := next((each for each in own if each.current), None)) is None:
            raise SessionEnded
        return current

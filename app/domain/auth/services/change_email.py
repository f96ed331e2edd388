from dataclasses import dataclass

from app.domain.accounts.errors import AccountGone, EmailTaken
from app.domain.accounts.services.passwords import Passwords, PasswordService
from app.domain.accounts.services.queries import AccountQueries
from app.domain.accounts.services.users import UserService
from app.domain.auth.dtos.links import MailRequest, PasswordReset
from app.domain.auth.errors import SameEmail
from app.domain.auth.events import EmailVerified
from app.domain.auth.jobs import LINK_REQUESTED, MailLink, mail_link
from app.domain.auth.repositories.sessions import HOLD_USER
from app.domain.auth.services.links import LinkThrottle, MailedLinks, Purpose
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.jobs import enqueue
from app.lib.security.emails import lookup_key
from app.lib.security.principal import Principal


@dataclass
class EmailChangeService:
    """Gives users another address, once they have shown that it is theirs; and gives them the former one back."""

    unit: UnitOfWork
    accounts: AccountQueries
    users: UserService
    passwords: Passwords
    password_service: PasswordService
    links: MailedLinks
    throttle: LinkThrottle
    events: Events
    origin: Origin

    async def request(self, data: MailRequest, actor: Principal) -> None:
        """Has a link mailed to the new address, unless it has an account: no answer says which.

        Raises ``SameEmail``, ``RateLimited`` or ``AccountGone``.
        """
        user = await self.accounts.get_credentials(actor.user_id)
        key = lookup_key(data.email)
        if key == lookup_key(user.email):
            raise SameEmail
        await self.throttle.check(f"{Purpose.CHANGE_EMAIL}\n{key}", self.origin.address)
        if await self.unit.first(HOLD_USER, user_id=user.id) is None:  # or the address would outlive the account
            raise AccountGone
        link = MailLink(user.id, Purpose.CHANGE_EMAIL, data.email, session_id=actor.session_id)
        await enqueue(self.unit, mail_link, link)
        await audit.record(self.unit, LINK_REQUESTED, self.origin, subject_id=user.id, purpose=Purpose.CHANGE_EMAIL)

    async def confirm(self, token: str) -> None:
        """Changes the address. The former one gets a link that undoes it, if it was the user's beyond doubt, else a
        notice.

        Raises ``InvalidLink`` or ``EmailTaken``.
        """
        link, user = await self.links.find(Purpose.CHANGE_EMAIL, token)
        if await self.links.find_keeper(link.address) not in {None, user.id}:
            raise EmailTaken
        await self.users.change_email(user, link.address)
        await self.links.use(link)
        await self.links.notify_former(user, was_confirmed=user.is_verified)
        if not user.is_verified:
            await self.events.publish(self.unit, EmailVerified(aggregate_id=user.id, aggregate_version=0))

    async def revert(self, data: PasswordReset) -> None:
        """Gives the former address back, with a password that a thief does not know. Ends all sessions, and all that
        else was a way in: a thief may have prepared it long before the change.

        Raises ``InvalidLink``, ``ValidationFailed`` for a weak password, ``EmailTaken`` or ``PasswordAlreadyChanged``.
        """
        link, user = await self.links.find(Purpose.REVERT_EMAIL, data.token)
        new_hash = await self.passwords.accept(data.password, user)
        await self.users.change_email(user, link.address, kind="email.reverted")
        await self.links.use(link)
        await self.links.forget_later(link)
        await self.password_service.replace(user, new_hash, kind="password.reset", takes_back=True)

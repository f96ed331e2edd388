from dataclasses import dataclass

from app.domain.accounts.services.passwords import Passwords, PasswordService
from app.domain.accounts.services.users import UserService
from app.domain.auth.dtos.links import PasswordReset
from app.domain.auth.events import EmailVerified
from app.domain.auth.services.links import MailedLinks, Purpose
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events


@dataclass
class ResetService:
    """Sets the password of a user who has forgotten it, and who reads the mail to their address."""

    unit: UnitOfWork
    users: UserService
    passwords: Passwords
    password_service: PasswordService
    links: MailedLinks
    events: Events

    async def reset(self, data: PasswordReset) -> None:
        """Ends all sessions and begins none. The link has shown that the address is the user's, too: where that was not
        known, the user takes the account back. Where it was, the second factor stays on (ASVS 6.4.3).

        Raises ``InvalidLink``, ``ValidationFailed`` for a weak password, or ``PasswordAlreadyChanged``.
        """
        link, user = await self.links.find(Purpose.RESET_PASSWORD, data.token)
        new_hash = await self.passwords.accept(data.password, user)
        is_new = await self.users.verify_email(user.id, link.address)
        await self.links.use(link)
        await self.password_service.replace(user, new_hash, kind="password.reset", takes_back=is_new)
        if is_new:
            await self.events.publish(self.unit, EmailVerified(aggregate_id=user.id, aggregate_version=0))

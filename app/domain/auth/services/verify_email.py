from dataclasses import dataclass
from uuid import UUID

from app.domain.accounts.rows import CredentialRow
from app.domain.accounts.services.passwords import Passwords, PasswordService
from app.domain.accounts.services.queries import AccountQueries
from app.domain.accounts.services.users import UserService
from app.domain.auth.dtos.links import EmailVerification
from app.domain.auth.errors import InvalidLink
from app.domain.auth.events import EmailVerified
from app.domain.auth.repositories.links import LinkRow
from app.domain.auth.services.links import CodeThrottle, MailedLinks, Purpose
from app.lib.audit import Origin
from app.lib.db.uow import UnitOfWork
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.events import Events
from app.lib.security.emails import lookup_key
from app.lib.security.principal import Principal

_NO_USER = UUID(int=0)


@dataclass
class VerificationService:
    """Confirms that an address belongs to the user who gave it.

    Anyone can register a stranger's address, with a password of their own. So the mail alone confirms nothing: the
    caller is signed in as that user, or says which password the account has from now on.
    """

    unit: UnitOfWork
    accounts: AccountQueries
    users: UserService
    passwords: Passwords
    password_service: PasswordService
    links: MailedLinks
    throttle: CodeThrottle
    events: Events
    origin: Origin

    async def verify(self, data: EmailVerification, viewer: Principal | None) -> None:
        """Confirms the address of a mail by its link or its code.

        Another password than the present one replaces it, and ends all sessions. Raises ``InvalidLink``,
        ``ValidationFailed`` for a password that is missing or weak, or ``RateLimited``.
        """
        if data.password is None and viewer is None:
            detail = "Is required, unless you are signed in."
            raise ValidationFailed([FieldError(pointer="/password", code=FieldCode.REQUIRED, detail=detail)])
        link, user = await self._find(data)
        if data.password is not None:
            is_theirs = await self.passwords.hasher.verify(user.password_hash, data.password)
            new_hash = None if is_theirs else await self.passwords.accept(data.password, user)
        elif viewer is not None and viewer.user_id == user.id:
            new_hash = None
        else:
            raise InvalidLink("/code" if data.token is None else "/token")
        is_new = await self.users.verify_email(user.id, link.address)
        await self.links.use(link)
        if new_hash is not None:
            await self.password_service.replace(user, new_hash, takes_back=is_new)
        if is_new:
            await self.events.publish(self.unit, EmailVerified(aggregate_id=user.id, aggregate_version=0))

    async def _find(self, data: EmailVerification) -> tuple[LinkRow, CredentialRow]:
        if data.token is not None:
            return await self.links.find(Purpose.VERIFY_EMAIL, data.token)
        key, address = lookup_key(data.email or ""), self.origin.address
        await self.throttle.check(key, address)
        user = await self.accounts.find_credentials(key)
        found = await self.links.find_by_code(Purpose.VERIFY_EMAIL, user.id if user else _NO_USER, data.code or "")
        await self.throttle.succeeded(key, address)
        return found

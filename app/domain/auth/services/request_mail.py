from dataclasses import dataclass
from uuid import UUID

from app.domain.accounts.errors import UserNotFound
from app.domain.accounts.services.queries import AccountQueries
from app.domain.auth.jobs import LINK_REQUESTED, MailLink, mail_link
from app.domain.auth.services.links import LinkThrottle, Purpose
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.uow import UnitOfWork
from app.lib.jobs import enqueue
from app.lib.security.emails import lookup_key
from app.lib.security.opaque import digest


@dataclass
class MailRequestService:
    """Has links mailed to people who are not signed in."""

    unit: UnitOfWork
    accounts: AccountQueries
    throttle: LinkThrottle
    origin: Origin

    async def request_reset_for(self, user_id: UUID) -> None:
        """Has a link mailed to a user by which they set a password, for an administrator. Raises ``UserNotFound``, also
        for a service account, which has no password and gets no mail.
        """
        if await self.accounts.find_credentials_of(user_id) is None:
            raise UserNotFound
        await self._enqueue(Purpose.RESET_PASSWORD, user_id)

    async def request(self, purpose: Purpose, email: str) -> None:
        """No answer says whether there is such an account.

        Enqueues a job in any case, and the job finds out whether there is anything to mail: so all answers take the
        same time. Raises ``RateLimited``.
        """
        key = lookup_key(email)
        await self.throttle.check(f"{purpose}\n{key}", self.origin.address)
        user = await self.accounts.find_credentials(key)
        await self._enqueue(purpose, user.id if user else None, asked=digest(key).hex())

    async def _enqueue(self, purpose: Purpose, user_id: UUID | None, *, asked: str = "") -> None:
        await enqueue(self.unit, mail_link, MailLink(user_id, purpose, asked=asked))
        await audit.record(self.unit, LINK_REQUESTED, self.origin, subject_id=user_id, purpose=purpose)

from dataclasses import dataclass

from app.domain.accounts.services.queries import AccountQueries
from app.domain.auth.jobs import LINK_REQUESTED, MailLink, mail_link
from app.domain.auth.services.links import LinkThrottle, Purpose
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.uow import UnitOfWork
from app.lib.jobs import enqueue
from app.lib.security.emails import lookup_key


@dataclass
class MailRequestService:
    """Has links mailed to people who are not signed in. No answer says whether there is such an account."""

    unit: UnitOfWork
    accounts: AccountQueries
    throttle: LinkThrottle
    origin: Origin

    async def request(self, purpose: Purpose, email: str) -> None:
        """Enqueues a job in any case, and the job finds out whether there is anything to mail: so all answers take the
        same time. Raises ``RateLimited``.
        """
        key = lookup_key(email)
        await self.throttle.check(f"{purpose}\n{key}", self.origin.address)
        user = await self.accounts.find_credentials(key)
        user_id = user.id if user else None
        await enqueue(self.unit, mail_link, MailLink(user_id, purpose))
        await audit.record(self.unit, LINK_REQUESTED, self.origin, subject_id=user_id, purpose=purpose)

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta

from app.domain.accounts.dtos import Registration, UserRead
from app.domain.accounts.errors import EmailTaken, UsernameTaken
from app.domain.accounts.services.queries import AccountQueries
from app.domain.accounts.services.users import UserService
from app.domain.auth.events import RegisteredAgain
from app.domain.auth.services.links import MailedLinks
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.ratelimit.limiter import Limit
from app.lib.ratelimit.throttle import Throttle
from app.lib.security.emails import lookup_key
from app.lib.text import casefold_key

KEEP_USERNAMES = timedelta(days=30)
"""How long a username is kept for who registered with it and has not confirmed the address."""


class RegistrationThrottle(Throttle):
    """Limits registrations with one address."""

    name = "register"
    per_account = Limit.parse("60 per hour")
    per_account_and_address = Limit.parse("30 per 15 minutes")


@dataclass
class RegistrationService:
    """Registers users: creates them for the caller."""

    unit: UnitOfWork
    users: UserService
    accounts: AccountQueries
    links: MailedLinks
    throttle: RegistrationThrottle
    events: Events
    origin: Origin

    async def register(self, data: Registration, locale: str) -> UserRead:
        """Creates a user. A former address that its user may still take back is taken, too.

        Raises ``EmailTaken``, ``UsernameTaken``, ``ValidationFailed`` or ``RateLimited``.
        """
        async with self._counted(data.email):
            return await self.users.register(data, locale, kept_for=await self.links.find_keeper(data.email))

    async def register_quietly(self, data: Registration, locale: str) -> None:
        """Creates a user unless the address is taken. The caller cannot see which, and both cost the same work; the
        owner of a taken address is notified by mail.

        The username is looked at first: if a taken address hid that the username is taken as well, the two together
        would show whether the address is. It is kept for the owner of a taken address, as a new user has theirs, so
        that a later registration with the name does not see the difference: both for 30 days, unless the address is
        confirmed, and the newest ten of an address.
        Raises ``UsernameTaken``, ``ValidationFailed`` or ``RateLimited``.
        """
        async with self._counted(data.email):
            if data.username and await self.accounts.find_keeper(casefold_key(data.username)):
                raise UsernameTaken
            keeper_id, kept_until = await self.links.find_keeper(data.email), utc_now() + KEEP_USERNAMES
            try:
                async with self.unit.savepoint():
                    await self.users.register(data, locale, kept_for=keeper_id, kept_until=kept_until)
            except EmailTaken:
                owner = await self.accounts.find_credentials(lookup_key(data.email))
                owner_id = owner.id if owner else keeper_id
                if owner_id is not None:
                    if data.username:
                        await self.users.keep_username(data.username, owner_id, kept_until)
                    await self.events.publish(self.unit, RegisteredAgain(aggregate_id=owner_id, aggregate_version=0))
                await audit.record(self.unit, "user.registered_again", self.origin, subject_id=owner_id)

    @contextlib.asynccontextmanager
    async def _counted(self, email: str) -> AsyncGenerator[None]:
        """Limits the attempts at one address. One that failed before the address was checked does not count."""
        key, address = lookup_key(email), self.origin.address
        await self.throttle.check(key, address)
        try:
            yield
        except EmailTaken:
            raise
        except BaseException:
            await self.unit.rollback()  # the counters may be in this database, which may have one writer
            await self.throttle.abandoned(key, address)
            raise

"""A secret by mail that does one thing once: links, and for some of them a code of six digits."""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

from app.domain.accounts.rows import CredentialRow
from app.domain.accounts.services.queries import AccountQueries
from app.domain.auth.errors import InvalidLink
from app.domain.auth.repositories.links import (
    ADDRESS_KEEPER,
    CHANGE_EMAIL,
    DELETE_LATER_LINKS,
    LINK,
    LINK_BY_CODE,
    REPLACE_LINK,
    USE_LINK,
    LinkRow,
)
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.mail.mailer import Mailer, NewMail
from app.lib.ratelimit.limiter import Limit
from app.lib.ratelimit.throttle import Throttle
from app.lib.security.emails import lookup_key
from app.lib.security.opaque import digest, new_secret

_CODE_DIGITS = 6


class Purpose(StrEnum):
    """What a link does. Also the name of its mail."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - the name of a purpose
    CHANGE_EMAIL = CHANGE_EMAIL
    REVERT_EMAIL = "revert_email"
    REAUTHENTICATE = "reauthenticate"
    """A code without a link, for a session."""

    @property
    def path(self) -> str:
        """Of the page behind the link, here or at ``PUBLIC_APP_URL``."""
        return f"/account/{self.value.replace('_', '-')}"

    @property
    def lifetime(self) -> timedelta:
        return _LIFETIMES[self]


_LIFETIMES = {
    Purpose.VERIFY_EMAIL: timedelta(hours=24),
    Purpose.RESET_PASSWORD: timedelta(minutes=30),
    Purpose.CHANGE_EMAIL: timedelta(hours=24),
    Purpose.REVERT_EMAIL: timedelta(hours=72),
    Purpose.REAUTHENTICATE: timedelta(minutes=10),
}


class LinkThrottle(Throttle):
    """Limits the mails with links that one address is sent, whether there is such an account or not."""

    name = "mailed_link"
    per_account = Limit.parse("10 per hour")
    per_account_and_address = Limit.parse("5 per 15 minutes")


class CodeThrottle(Throttle):
    """Limits guesses at a code: one in 50 000 finds it in the day that it is good for."""

    name = "mailed_code"
    per_account = Limit.parse("20 per day")
    per_account_and_address = Limit.parse("5 per 15 minutes")


@dataclass
class LinkMaker:
    """Where links lead to, and the keys for digests of codes, which are too few to be hashed without one."""

    base_url: str
    key: bytes
    fallbacks: Sequence[bytes] = ()

    def url(self, purpose: Purpose, token: str) -> str:
        return f"{self.base_url}{purpose.path}?token={token}"

    def code_digests(self, bound_to: UUID, code: str) -> list[bytes]:
        """With the current key, and with those before it."""
        return [hmac.digest(key, bound_to.bytes + code.encode(), sha256) for key in (self.key, *self.fallbacks)]


@dataclass
class MailedLinks:
    """Sends links, finds them, and uses them up."""

    unit: UnitOfWork
    reader: Reader
    accounts: AccountQueries
    mailer: Mailer
    maker: LinkMaker

    async def send(
        self,
        purpose: Purpose,
        user: CredentialRow,
        cause_id: UUID,
        *,
        address: str = "",
        session_id: UUID | None = None,
    ) -> None:
        """Mails a new link to the user, or to ``address``, once for the same cause. The one before is good no more.

        A code to re-authenticate is good for the session alone.
        """
        token, now = new_secret(), utc_now()
        secret = {"url": self.maker.url(purpose, token)}
        code_digest = None
        if purpose in {Purpose.VERIFY_EMAIL, Purpose.REAUTHENTICATE}:
            secret["code"] = f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}}"
            code_digest = self.maker.code_digests(session_id or user.id, secret["code"])[0]
        if not await self.mail(purpose.value, user, str(cause_id), address=address, secret=secret):
            return
        await self.unit.execute(
            REPLACE_LINK,
            id=new_id(),
            user_id=user.id,
            purpose=purpose.value,
            email_key=lookup_key(user.email),
            digest=digest(token),
            code_digest=code_digest,
            address=address or user.email,
            created_at=now,
            expires_at=now + purpose.lifetime,
            used_at=None,
        )

    async def mail(
        self,
        kind: str,
        user: CredentialRow,
        business_id: str,
        *,
        address: str = "",
        secret: Mapping[str, Any] = {},
        context: Mapping[str, Any] = {},
    ) -> bool:
        """Queues a mail to the user, or to ``address``. False when the same ``kind`` and ``business_id`` have queued it
        before.
        """
        mail = NewMail.to(user, kind, business_id, address=address, secrets=secret, context=context)
        return await self.mailer.queue(self.unit, mail)

    async def find(self, purpose: Purpose, token: str) -> tuple[LinkRow, CredentialRow]:
        """A link that is good, and whose it is. Changes nothing.

        Only a link that undoes a change is good for a user who has another address now. Raises ``InvalidLink``.
        """
        found = await self.reader.first(LINK, purpose=purpose.value, digest=digest(token), now=utc_now())
        return await self._of_its_user(purpose, found)

    async def find_by_code(
        self, purpose: Purpose, user_id: UUID, code: str, *, session_id: UUID | None = None, pointer: str = "/code"
    ) -> tuple[LinkRow, CredentialRow]:
        """The same by the code of the mail. Raises ``InvalidLink``."""
        wanted = {"purpose": purpose.value, "user_id": user_id, "now": utc_now()}
        found: LinkRow | None = None
        for code_digest in self.maker.code_digests(session_id or user_id, code):
            found = found or await self.reader.first(LINK_BY_CODE, **wanted, code_digest=code_digest)
        return await self._of_its_user(purpose, found, pointer)

    async def use(self, link: LinkRow) -> None:
        """Uses a link up. Raises ``InvalidLink`` when another request was faster."""
        if not await self.unit.execute(USE_LINK, digest=link.digest, now=utc_now()):
            raise InvalidLink

    async def _of_its_user(
        self, purpose: Purpose, link: LinkRow | None, pointer: str = "/token"
    ) -> tuple[LinkRow, CredentialRow]:
        user = await self.accounts.find_credentials_of(link.user_id) if link else None
        if link is None or user is None:
            raise InvalidLink(pointer)
        if purpose is not Purpose.REVERT_EMAIL and lookup_key(user.email) != link.email_key:
            raise InvalidLink(pointer)
        return link, user

    async def find_keeper(self, email: str) -> UUID | None:
        """The user who may still take this address back."""
        return await self.reader.first(
            ADDRESS_KEEPER, key=lookup_key(email), purpose=Purpose.REVERT_EMAIL.value, now=utc_now()
        )

    async def notify_former(self, former: CredentialRow, *, was_confirmed: bool) -> None:
        """Mails to the address that a user had: a link that undoes the change, or, where it was never confirmed, that
        it was changed. It may be the owner's, from whom someone took the account, but also a stranger's, who must not
        get the account by a link: so that mail has none. It is sent once a day to an address.
        """
        if was_confirmed:
            await self.send(Purpose.REVERT_EMAIL, former, new_id())
            return
        now = utc_now()
        business_id = f"{digest(lookup_key(former.email)).hex()}:{now:%Y-%m-%d}"
        await self.mail("address_replaced", former, business_id, context={"at": now.isoformat(timespec="seconds")})

    async def forget_later(self, link: LinkRow) -> None:
        """What came after a change that is undone cannot be undone: it was not the user's."""
        later = {"user_id": link.user_id, "purpose": Purpose.REVERT_EMAIL.value, "after": link.created_at}
        await self.unit.execute(DELETE_LATER_LINKS, **later)

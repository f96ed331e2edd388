import contextlib
from dataclasses import dataclass
from uuid import UUID

from app.domain.accounts.rows import CredentialRow
from app.domain.accounts.services.passwords import Passwords, PasswordService, SignInThrottle
from app.domain.accounts.services.queries import AccountQueries
from app.domain.accounts.settings import AccountSettings
from app.domain.auth.dtos.sessions import SignIn, TokenPair
from app.domain.auth.errors import AccountInactive, InvalidCredentials
from app.domain.auth.jobs import MailLink, mail_link
from app.domain.auth.services.entry import EntryService
from app.domain.auth.services.links import Purpose
from app.domain.auth.services.queries import SessionQueries
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.engine import Database
from app.lib.db.uow import UnitOfWork
from app.lib.errors import Unavailable
from app.lib.jobs import enqueue
from app.lib.security.emails import lookup_key

_NO_USER = UUID(int=0)


@dataclass
class SignInService:
    """Gives tokens for a password."""

    unit: UnitOfWork
    database: Database
    accounts: AccountQueries
    session_queries: SessionQueries
    passwords: Passwords
    password_service: PasswordService
    throttle: SignInThrottle
    entry: EntryService
    origin: Origin
    settings: AccountSettings

    async def sign_in(self, data: SignIn) -> TokenPair:
        """Opens a session.

        Raises ``InvalidCredentials``, with the same status, text and work for a wrong password, an unknown user and an
        address that is not confirmed; ``AccountInactive`` and ``MfaRequired`` only after the right password;
        ``RateLimited``.
        """
        name, address = lookup_key(data.login), self.origin.address
        found = await self.accounts.find_credentials(name)
        key = await self._counted_as(name, found)
        # Asked for unknown users too, so that both cost the same.
        trusted = await self.session_queries.knows_address(found.id if found else _NO_USER, address)
        is_last = await self.throttle.check(key, address, trusted=trusted)
        try:
            verified = await self._verify(found, data.password)
        except BaseException:
            await self.throttle.abandoned(key, address)
            raise
        if found is None or not verified or self._is_unconfirmed(found):
            refused = "sign_in.unverified" if verified else "sign_in.failed"
            await self._record_refusal(found, "sign_in.locked_out" if is_last else refused, knows_password=verified)
            raise self._refusal()
        await self.throttle.succeeded(key, address)
        if (pair := await self._enter(found, data.password)) is not None:
            return pair
        # The user was changed while the password was verified. It may still be right: another sign-in may have renewed
        # its hash, an administrator may have changed a flag.
        await self.unit.rollback()  # no lock may be held while a password is verified
        found = await self.accounts.find_credentials_of(found.id)
        if found is not None and await self._verify(found, data.password) and not self._is_unconfirmed(found):
            pair = await self._enter(found, data.password)
        if pair is None:
            raise self._refusal()
        return pair

    async def _counted_as(self, name: str, found: CredentialRow | None) -> str:
        """The name under which attempts count: the same for all names of an account, and for those kept for it."""
        account_id = found.id if found else None
        if "@" not in name:
            account_id = await self.accounts.find_keeper(name)
        return f"account\n{account_id}" if account_id else name  # no name at sign-in has a line break

    def _is_unconfirmed(self, found: CredentialRow) -> bool:
        return self.settings.require_verified_email and not found.is_verified

    def _refusal(self) -> InvalidCredentials:
        return InvalidCredentials(or_unverified=self.settings.require_verified_email)

    async def _verify(self, found: CredentialRow | None, password: str) -> bool:
        if found is None:
            await self.passwords.hasher.verify_dummy(password)
            return False
        return await self.passwords.hasher.verify(found.password_hash, password)

    async def _enter(self, found: CredentialRow, password: str) -> TokenPair | None:
        """None when the user was changed since they were found. Raises ``AccountInactive`` or ``MfaRequired``."""
        if not found.is_active:
            await self._record_refusal(found, "sign_in.inactive")
            raise AccountInactive
        password_hash = found.password_hash
        if self.passwords.hasher.needs_rehash(password_hash):
            with contextlib.suppress(Unavailable):  # too busy now; a later sign-in will do it
                password_hash = await self.password_service.rehash(found.id, password_hash, password)
        return await self.entry.enter(found.id, password_hash, way="password")

    async def _record_refusal(self, found: CredentialRow | None, kind: str, *, knows_password: bool = False) -> None:
        """In its own transaction, because the request's is rolled back.

        Who knows the password of an account that is not confirmed is mailed another link. All refusals enqueue the job
        for it, most of them one that does nothing, so that all take the same time.
        """
        user_id = found.id if found else None
        async with self.database.independent() as unit:
            await audit.record(unit, kind, self.origin, subject_id=user_id, way="password")
            if self.settings.require_verified_email:
                await enqueue(unit, mail_link, MailLink(user_id if knows_password else None, Purpose.VERIFY_EMAIL))

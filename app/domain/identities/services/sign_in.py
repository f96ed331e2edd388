from dataclasses import dataclass

from app.domain.accounts.errors import EmailTaken
from app.domain.accounts.rows import CredentialRow
from app.domain.accounts.services.queries import AccountQueries
from app.domain.accounts.services.users import UserService
from app.domain.accounts.settings import AccountSettings
from app.domain.auth.dtos.sessions import TokenPair
from app.domain.auth.errors import AccountInactive
from app.domain.auth.events import EmailVerified
from app.domain.auth.services.entry import EntryService
from app.domain.auth.services.links import MailedLinks
from app.domain.identities.dtos import ProviderAnswer
from app.domain.identities.errors import EmailNotConfirmed, InvalidAttempt, LinkRequired, OwnEmailNotConfirmed
from app.domain.identities.providers.people import ExternalIdentity
from app.domain.identities.repositories import IDENTITY_OWNER, RECORD_USE
from app.domain.identities.services.attempts import AttemptService
from app.domain.identities.services.link import LinkService
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.engine import Database
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.errors import AppError, ValidationFailed
from app.lib.events import Events
from app.lib.security.emails import lookup_key
from app.lib.security.passwords import has_password


@dataclass
class ProviderSignInService:
    """Gives tokens to people whom an identity provider vouches for."""

    unit: UnitOfWork
    database: Database
    reader: Reader
    accounts: AccountQueries
    users: UserService
    mailed_links: MailedLinks
    attempts: AttemptService
    links: LinkService
    entry: EntryService
    events: Events
    origin: Origin
    settings: AccountSettings

    async def sign_in(self, provider_name: str, data: ProviderAnswer, locale: str) -> TokenPair:
        """Opens a session of the user whose identity it is; one who was never here becomes a user, or is linked to the
        user who has the address, where both sides have shown that it is theirs.

        Raises ``InvalidAttempt``, ``InvalidAnswer``, ``ProviderUnavailable``, ``EmailNotConfirmed``, ``LinkRequired``,
        ``AccountInactive``, ``OwnEmailNotConfirmed`` or ``MfaRequired``.
        """
        try:
            external = await self.attempts.finish(provider_name, data)
        except ValidationFailed as exc:
            raise await self._refuse(exc, provider_name) from exc
        owner_id = await self.reader.first(IDENTITY_OWNER, issuer=external.issuer, subject=external.subject)
        user = await self.accounts.find_credentials_of(owner_id) if owner_id else None
        if user is not None:
            await self._check(user, external)
        else:
            user = await self._find_by_address(external) or await self._register(external, locale)
        pair = await self.entry.enter(user.id, user.password_hash, way=f"provider:{external.provider}")
        if pair is None:  # the user was changed in this moment
            raise InvalidAttempt
        used = {"issuer": external.issuer, "subject": external.subject, "email": external.email}
        await self.unit.execute(RECORD_USE, **used, now=utc_now())
        return pair

    async def _find_by_address(self, external: ExternalIdentity) -> CredentialRow | None:
        """The user who has the address, linked by now; None when no one has it.

        Who registered with a stranger's address does not get into the account that way when its owner comes: one with
        a password, whose address is not confirmed, is not linked.
        """
        if external.email is None or not external.is_confirmed:
            raise await self._refuse(EmailNotConfirmed(), external.provider)
        user = await self.accounts.find_credentials(lookup_key(external.email))
        if user is None:
            if await self.mailed_links.find_keeper(external.email) is not None:
                raise await self._refuse(LinkRequired(), external.provider)
            return None
        if not user.is_verified and has_password(user.password_hash):
            raise await self._refuse(LinkRequired(), external.provider, user)
        await self._check(user, external, is_confirmed=True)
        await self.links.add(user, external)
        return user

    async def _register(self, external: ExternalIdentity, locale: str) -> CredentialRow:
        try:
            user = await self.users.register_confirmed(external.email or "", external.name, locale)
        except EmailTaken as exc:  # in this moment
            raise LinkRequired from exc
        await self.links.add(user, external, is_new=True)
        await self.events.publish(self.unit, EmailVerified(aggregate_id=user.id, aggregate_version=0))
        return user

    async def _check(self, user: CredentialRow, external: ExternalIdentity, *, is_confirmed: bool = False) -> None:
        """Raises ``AccountInactive`` or ``OwnEmailNotConfirmed``. No transaction may have begun."""
        if not user.is_active:
            raise await self._refuse(AccountInactive(), external.provider, user, "sign_in.inactive")
        if self.settings.require_verified_email and not (user.is_verified or is_confirmed):
            raise await self._refuse(OwnEmailNotConfirmed(), external.provider, user, "sign_in.unverified")

    async def _refuse(
        self, error: AppError, provider_name: str, user: CredentialRow | None = None, kind: str = "sign_in.failed"
    ) -> AppError:
        """The error to raise, once the audit log has it: in its own transaction, because the request's is undone."""
        async with self.database.independent() as unit:
            subject_id = user.id if user else None
            await audit.record(unit, kind, self.origin, subject_id=subject_id, way=f"provider:{provider_name}")
        return error

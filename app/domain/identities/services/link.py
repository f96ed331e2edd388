from dataclasses import dataclass
from uuid import UUID

from app.domain.accounts.rows import CredentialRow
from app.domain.accounts.services.queries import AccountQueries
from app.domain.accounts.services.users import UserService
from app.domain.auth.events import EmailVerified
from app.domain.auth.repositories.sessions import SessionRepository
from app.domain.auth.services.sessions import SessionService
from app.domain.auth.services.ways_in import check_ways_in
from app.domain.identities.dtos import Authorization, IdentityLink, IdentityRead
from app.domain.identities.errors import IdentityNotFound, IdentityTaken, OwnEmailNotConfirmed
from app.domain.identities.providers.people import ExternalIdentity
from app.domain.identities.providers.registry import Providers
from app.domain.identities.repositories import HELD_USER, IDENTITIES_OF, LINK_IDENTITY, UNLINK
from app.domain.identities.services.attempts import AttemptService
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.mail.mailer import Mailer, NewMail
from app.lib.security.emails import lookup_key
from app.lib.security.principal import Principal


@dataclass
class LinkService:
    """Links identities to users, and takes them away."""

    unit: UnitOfWork
    accounts: AccountQueries
    users: UserService
    attempts: AttemptService
    providers: Providers
    sessions: SessionService
    mailer: Mailer
    events: Events
    origin: Origin
    _sessions: SessionRepository

    async def begin(self, provider_name: str, actor: Principal) -> Authorization:
        """Raises ``ProviderNotFound``, ``ProviderUnavailable`` or ``RateLimited``."""
        return await self.attempts.begin(provider_name, actor)

    async def link(self, data: IdentityLink, actor: Principal) -> IdentityRead:
        """Links who came back from the provider to the user who went there.

        Raises ``InvalidAttempt``, ``InvalidAnswer``, ``ProviderUnavailable``, ``OwnEmailNotConfirmed``,
        ``IdentityTaken``, ``AccountGone`` or ``SessionEnded``.
        """
        external = await self.attempts.finish(data.provider, data, actor)
        user = await self.accounts.get_credentials(actor.user_id)
        is_own_address = external.is_confirmed and lookup_key(external.email or "") == lookup_key(user.email)
        if not (user.is_verified or is_own_address):
            raise OwnEmailNotConfirmed
        linked = await self.add(user, external)
        await self._sessions.check_live(actor.session_id)
        return linked

    async def add(self, user: CredentialRow, external: ExternalIdentity, *, is_new: bool = False) -> IdentityRead:
        """Links an identity; where it shows that the address of the user is theirs, that is confirmed by it. The owner
        is notified, unless the user ``is_new``. Raises ``IdentityTaken``.
        """
        if not user.is_verified and await self.users.verify_email(user.id, user.email):
            await self.events.publish(self.unit, EmailVerified(aggregate_id=user.id, aggregate_version=0))
        identity_id, now = new_id(), utc_now()
        linked = await self.unit.execute(
            LINK_IDENTITY,
            email_key=lookup_key(user.email),
            password_hash=user.password_hash,
            id=identity_id,
            user_id=user.id,
            provider=external.provider,
            issuer=external.issuer,
            subject=external.subject,
            email=external.email,
            linked_at=now,
            last_used_at=None,
        )
        if not linked:
            raise IdentityTaken
        await audit.record(self.unit, "identity.linked", self.origin, subject_id=user.id, provider=external.provider)
        if not is_new:
            await self._mail("identity_linked", user, identity_id, external.title)
        return IdentityRead(identity_id, external.provider, external.email, now, None)

    async def unlink(self, identity_id: UUID, actor: Principal) -> None:
        """Takes an identity away, and ends the other sessions, which may have come by it.

        Raises ``IdentityNotFound`` or ``LastWayIn``.
        """
        held = await self.unit.first(HELD_USER, user_id=actor.user_id)
        gone = next(
            (each for each in await self.unit.all(IDENTITIES_OF, user_id=actor.user_id) if each.id == identity_id), None
        )
        user = await self.accounts.find_credentials_of(actor.user_id)
        if held is None or user is None or gone is None:
            raise IdentityNotFound
        await self.unit.execute(UNLINK, identity_id=identity_id)
        await check_ways_in(self.unit, self.events, user.id)
        await self.sessions.sign_out_everywhere(actor, keeps_current=True)
        await audit.record(self.unit, "identity.unlinked", self.origin, subject_id=user.id, provider=gone.provider)
        provider = self.providers.get(gone.provider)
        await self._mail("identity_unlinked", user, identity_id, provider.title if provider else gone.provider)

    async def _mail(self, kind: str, user: CredentialRow, identity_id: UUID, title: str) -> None:
        context = {"provider": title, "at": utc_now().isoformat(timespec="seconds")}
        await self.mailer.queue(self.unit, NewMail.to(user, kind, str(identity_id), context=context))

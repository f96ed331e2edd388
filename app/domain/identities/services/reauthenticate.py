from dataclasses import dataclass

from app.domain.auth.dtos.sessions import SessionRead
from app.domain.auth.errors import MfaRequired
from app.domain.auth.services.reauthenticate import ReauthenticationService
from app.domain.identities.dtos import Authorization, ProviderReauthentication
from app.domain.identities.errors import InvalidAnswer
from app.domain.identities.repositories import IDENTITY_OWNER
from app.domain.identities.services.attempts import AttemptService
from app.lib.db.reader import Reader
from app.lib.security.principal import Principal


@dataclass
class ProviderReauthenticationService:
    """Lets users show at a provider again who they are, before sensitive acts."""

    reader: Reader
    attempts: AttemptService
    reauthentication: ReauthenticationService

    async def begin(self, provider_name: str, actor: Principal) -> Authorization:
        """Raises ``ProviderNotFound``, ``ProviderUnavailable``, ``NotAskedAgain`` or ``RateLimited``."""
        return await self.attempts.begin(provider_name, actor, is_fresh=True)

    async def reauthenticate(self, provider_name: str, data: ProviderReauthentication, actor: Principal) -> SessionRead:
        """Makes sensitive acts possible in this session, for the user whose identity it is.

        Raises ``MfaRequired`` for a code that is missing, ``InvalidAttempt``, ``InvalidAnswer``, also for another
        person's identity, ``NotAskedAgain``, ``ProviderUnavailable``, ``WrongCode``, ``RateLimited`` or
        ``SessionEnded``.
        """
        if data.mfa_code is None and await self.reauthentication.needs_code(actor):
            raise MfaRequired
        external = await self.attempts.finish(provider_name, data, actor, is_fresh=True)
        if await self.reader.first(IDENTITY_OWNER, issuer=external.issuer, subject=external.subject) != actor.user_id:
            raise InvalidAnswer
        await self.reauthentication.use_factor(data.mfa_code, actor, pointer="/mfa_code")
        return await self.reauthentication.confirm(actor)

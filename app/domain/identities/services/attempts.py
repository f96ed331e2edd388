import asyncio
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import msgspec

from app.domain.identities.dtos import Authorization, ProviderAnswer
from app.domain.identities.errors import InvalidAttempt, ProviderUnavailable
from app.domain.identities.providers.people import ExternalIdentity
from app.domain.identities.providers.registry import Providers
from app.domain.identities.repositories import CREATE_ATTEMPT, USE_ATTEMPT
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.engine import Database
from app.lib.db.uow import UnitOfWork
from app.lib.ratelimit.limiter import Limit, NamedLimit, RateLimiter
from app.lib.security.opaque import digest, new_secret
from app.lib.security.principal import Principal
from app.lib.security.sealing import CannotUnseal, Sealer

LIFETIME = timedelta(minutes=10)
_TOTAL_SECONDS = 15.0
"""For all that a provider is asked to find out who came back."""
_ALL_TOGETHER = NamedLimit("provider_attempts", Limit.parse("3000 per minute"))
"""So that strangers with many addresses fill no disk: there are at most ten times as many rows."""


class _Proof(msgspec.Struct, frozen=True, array_like=True):
    """What shows that an answer of the provider is to this attempt: to sign in, or of a session to link or to confirm
    who is there.
    """

    nonce: str
    verifier: str
    session_id: UUID | None
    is_fresh: bool


@dataclass
class AttemptService:
    """Sends browsers to identity providers, and finds out who comes back."""

    unit: UnitOfWork
    database: Database
    providers: Providers
    sealer: Sealer
    limiter: RateLimiter

    async def begin(
        self, provider_name: str, actor: Principal | None = None, *, is_fresh: bool = False
    ) -> Authorization:
        """An attempt to sign in; of a user, to link, or if it ``is_fresh``, to show again who they are.

        Raises ``ProviderNotFound``, ``ProviderUnavailable``, ``NotAskedAgain`` where that shows nothing, or
        ``RateLimited``.
        """
        provider = self.providers.named(provider_name)
        verdict = await self.limiter.hit(_ALL_TOGETHER, "all")
        if not verdict.allowed:
            raise verdict.refusal()
        attempt_id, state, secret = new_id(), new_secret(), new_secret()
        proof = _Proof(new_secret(), new_secret(), actor.session_id if actor else None, is_fresh)
        # Before the transaction begins, because the provider may have to be asked.
        url = await provider.authorization_url(
            state=state, nonce=proof.nonce, verifier=proof.verifier, is_fresh=is_fresh
        )
        expires_at = utc_now() + LIFETIME
        await self.unit.execute(
            CREATE_ATTEMPT,
            id=attempt_id,
            state_digest=digest(state),
            secret_digest=digest(secret),
            provider=provider.name,
            user_id=actor.user_id if actor else None,
            sealed=self.sealer.seal(msgspec.json.encode(proof), attempt_id.bytes),
            expires_at=expires_at,
        )
        return Authorization(url, provider.redirect_uri, state, secret, expires_at)

    async def finish(
        self, provider_name: str, data: ProviderAnswer, actor: Principal | None = None, *, is_fresh: bool = False
    ) -> ExternalIdentity:
        """Who came back from the provider. The attempt is over in any case; its own transaction ends before
        the provider is asked, and no other may have begun.

        Raises ``ProviderNotFound``, ``InvalidAttempt``, ``InvalidAnswer``, ``NotAskedAgain``, or
        ``ProviderUnavailable``.
        """
        provider = self.providers.named(provider_name)
        async with self.database.independent() as unit:
            attempt = await unit.first(
                USE_ATTEMPT, state_digest=digest(data.state), secret_digest=digest(data.secret), now=utc_now()
            )
        if attempt is None or attempt.provider != provider.name:
            raise InvalidAttempt
        try:
            proof = msgspec.json.decode(self.sealer.open(attempt.sealed, attempt.id.bytes), type=_Proof)
        except CannotUnseal as exc:  # begun with a key that is gone
            raise InvalidAttempt from exc
        if (proof.session_id, proof.is_fresh) != (actor.session_id if actor else None, is_fresh):
            raise InvalidAttempt
        since = attempt.expires_at - LIFETIME if is_fresh else None
        try:
            async with asyncio.timeout(_TOTAL_SECONDS):
                return await provider.identify(
                    code=data.code, iss=data.iss, nonce=proof.nonce, verifier=proof.verifier, since=since
                )
        except TimeoutError as exc:
            raise ProviderUnavailable from exc

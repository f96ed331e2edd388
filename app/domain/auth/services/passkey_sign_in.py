"""What passkeys are used for: a sign-in without a password, the second step of one with it, and sensitive acts."""

from dataclasses import dataclass
from uuid import UUID

from app.domain.accounts.services.passwords import PasswordService
from app.domain.accounts.settings import AccountSettings
from app.domain.auth.dtos.passkeys import Assertion, MfaPasskey, PasskeyReauthentication, RequestOptions
from app.domain.auth.dtos.sessions import SessionRead, TokenPair
from app.domain.auth.errors import AccountInactive, PasskeyRefused, WrongPasskey
from app.domain.auth.services.entry import EntryService
from app.domain.auth.services.mfa_sign_in import MfaSignInService
from app.domain.auth.services.passkey_use import Ceremony, PasskeyVerifier
from app.domain.auth.services.reauthenticate import ReauthenticationService
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.engine import Database
from app.lib.db.uow import UnitOfWork
from app.lib.security.opaque import digest
from app.lib.security.principal import Principal
from app.lib.security.relying_party import InvalidPasskey


@dataclass
class PasskeySignInService:
    """Gives tokens for a passkey, and opens the time for sensitive acts."""

    unit: UnitOfWork
    database: Database
    verifier: PasskeyVerifier
    entry: EntryService
    mfa: MfaSignInService
    passwords: PasswordService
    reauthentication: ReauthenticationService
    origin: Origin
    settings: AccountSettings

    async def options(self) -> RequestOptions:
        """The same for all: no account is named."""
        return await self.verifier.options(Ceremony.SIGN_IN, b"")

    async def sign_in(self, answer: Assertion) -> TokenPair:
        """The authenticator has verified its user, so no second factor is asked for.

        Raises ``PasskeyRefused``, or ``AccountInactive`` only after a valid answer.
        """
        try:
            found = await self.verifier.verify(answer, Ceremony.SIGN_IN, b"", needs_verification=True)
        except InvalidPasskey:
            await self._record_refusal("sign_in.failed", None)
            raise self._refusal() from None
        if not found.is_active:
            await self._record_refusal("sign_in.inactive", found.user_id)
            raise AccountInactive
        pair = None
        if found.is_verified or not self.settings.require_verified_email:
            pair = await self.entry.enter(found.user_id, found.password_hash, way="passkey", is_strong=True)
        if pair is None:
            raise self._refusal()
        return pair

    async def second_step_options(self, token: str) -> RequestOptions:
        """Raises ``InvalidMfaToken`` or ``NoPasskey``."""
        return await self.verifier.options(Ceremony.SECOND_FACTOR, digest(token), await self.mfa.find_user(token))

    async def second_step(self, data: MfaPasskey) -> TokenPair:
        """Raises ``InvalidMfaToken`` or ``WrongPasskey``."""
        row, user = await self.mfa.take_try(data.mfa_token)
        bound_to = digest(data.mfa_token)
        await self._verify_own(data.credential, Ceremony.SECOND_FACTOR, bound_to, user.id, needs_verification=False)
        return await self.mfa.finish(data.mfa_token, row, user, "passkey")

    async def reauthentication_options(self, actor: Principal) -> RequestOptions:
        """Raises ``NoPasskey``."""
        return await self.verifier.options(Ceremony.REAUTHENTICATION, actor.session_id.bytes, actor.user_id)

    async def reauthenticate(self, data: PasskeyReauthentication, actor: Principal) -> SessionRead:
        """Makes sensitive acts possible in this session. An authenticator that does not verify its user needs the
        password as well.

        Raises ``WrongCurrentPassword``, ``WrongPasskey``, ``RateLimited`` or ``SessionEnded``.
        """
        if data.password is not None:
            await self.passwords.verify_own(data.password, actor, pointer="/password")
        await self._verify_own(
            data.credential,
            Ceremony.REAUTHENTICATION,
            actor.session_id.bytes,
            actor.user_id,
            needs_verification=data.password is None,
        )
        return await self.reauthentication.confirm(actor)

    async def _verify_own(
        self, answer: Assertion, ceremony: Ceremony, bound_to: bytes, user_id: UUID, *, needs_verification: bool
    ) -> None:
        try:
            await self.verifier.verify(answer, ceremony, bound_to, user_id, needs_verification=needs_verification)
        except InvalidPasskey:
            await self._record_refusal("mfa.refused", user_id)
            raise WrongPasskey from None

    def _refusal(self) -> PasskeyRefused:
        return PasskeyRefused(or_unverified=self.settings.require_verified_email)

    async def _record_refusal(self, kind: str, user_id: UUID | None) -> None:
        async with self.database.independent() as unit:
            await audit.record(unit, kind, self.origin, subject_id=user_id, way="passkey")

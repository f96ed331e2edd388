"""Codes of an app, by a secret and the time (RFC 6238)."""

from dataclasses import dataclass
from datetime import timedelta

import segno
from pyotp import random_base32
from pyotp.totp import TOTP

from app.config import Settings
from app.domain.accounts.services.queries import AccountQueries
from app.domain.auth.dtos.mfa import RecoveryCodesRead, TotpConfirmation, TotpEnrollment
from app.domain.auth.errors import TotpAlreadyOn, TotpNotFound, WrongCode
from app.domain.auth.events import FactorChange
from app.domain.auth.repositories.second_factors import CONFIRM_TOTP, DELETE_TOTP, PENDING_TOTP, SecondFactorRepository
from app.domain.auth.services.second_factors import SecondFactorService, matching_step
from app.lib.clock import utc_now
from app.lib.db.uow import UnitOfWork
from app.lib.security.principal import Principal
from app.lib.security.sealing import Sealer

_TIME_TO_CONFIRM = timedelta(minutes=10)


@dataclass
class TotpService:
    """Sets up the app of a user, and takes it away."""

    unit: UnitOfWork
    settings: Settings
    accounts: AccountQueries
    sealer: Sealer
    factors: SecondFactorService
    _factors: SecondFactorRepository

    async def enroll(self, actor: Principal) -> TotpEnrollment:
        """A new secret, which is no factor before a code confirms it. Raises ``TotpAlreadyOn``."""
        user = await self.accounts.get_credentials(actor.user_id)
        secret = random_base32()
        await self.factors.lock(actor)
        if not await self._factors.set_up_totp(user.id, self.sealer.seal(secret.encode(), user.id.bytes), utc_now()):
            raise TotpAlreadyOn
        url = TOTP(secret).provisioning_uri(name=user.email, issuer_name=self.settings.product_name)
        return TotpEnrollment(
            secret=secret, otpauth_url=url, qr_svg=segno.make_qr(url).svg_inline(scale=4, light="white")
        )

    async def confirm(self, data: TotpConfirmation, actor: Principal) -> RecoveryCodesRead:
        """Makes the app a second factor. Returns recovery codes with the first factor, later none.

        Raises ``TotpNotFound``, also where it is confirmed or has expired, or ``WrongCode``.
        """
        user_id, now = actor.user_id, utc_now()
        await self.factors.lock(actor)
        pending = await self.unit.first(PENDING_TOTP, user_id=user_id)
        if pending is None or pending.created_at < now - _TIME_TO_CONFIRM:
            raise TotpNotFound
        step = matching_step(self.sealer, user_id, pending.secret, data.code.replace(" ", ""))
        confirmed = {"user_id": user_id, "sealed": pending.secret, "step": step, "now": now}
        if step is None or not await self.unit.execute(CONFIRM_TOTP, **confirmed):
            raise WrongCode
        return await self.factors.added(FactorChange.TOTP_ADDED, actor)

    async def remove(self, actor: Principal) -> None:
        """Raises ``TotpNotFound``."""
        await self.factors.lock(actor)
        if not await self.unit.execute(DELETE_TOTP, user_id=actor.user_id):
            raise TotpNotFound
        await self.factors.removed(FactorChange.TOTP_REMOVED, actor)

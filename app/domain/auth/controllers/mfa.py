"""The second factors of the current user."""

from litestar import Controller, delete, get, post
from litestar.params import JSONBody

from app.domain.auth.dtos.mfa import MfaRead, RecoveryCodesRead, TotpConfirmation, TotpEnrollment
from app.domain.auth.errors import SecondFactorOff, TotpAlreadyOn, TotpNotFound
from app.domain.auth.services.second_factors import SecondFactorService
from app.domain.auth.services.totp import TotpService
from app.lib.http.injection import Caller, Injected
from app.lib.openapi.document import may_raise
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import OPEN_TO_DEBTORS, recently_authenticated, signed_in
from app.lib.wire.dto import StructDTO


class MfaController(Controller):
    path = "/users/me/mfa"
    tags = ("Users",)

    @get(
        guards=[signed_in],
        return_dto=StructDTO[MfaRead],
        summary="Get your second factors",
        description="Which factors are on, and how many recovery codes are left.",
        opt=OPEN_TO_DEBTORS,
    )
    async def get_mfa(self, principal: Caller, second_factors: Injected[SecondFactorService]) -> MfaRead:
        return await second_factors.get(principal.user_id)

    @post(
        "/totp",
        guards=[recently_authenticated, rate_limit("auth")],
        return_dto=StructDTO[TotpEnrollment],
        status_code=200,
        summary="Set up an app that makes codes",
        description=(
            "Answers with a secret for it, as text and as a QR code. It is no second factor before a code confirms it."
        ),
        opt=may_raise(TotpAlreadyOn) | OPEN_TO_DEBTORS,
    )
    async def enroll_totp(self, principal: Caller, totp: Injected[TotpService]) -> TotpEnrollment:
        return await totp.enroll(principal)

    @post(
        "/totp/confirm",
        guards=[recently_authenticated, rate_limit("auth")],
        dto=StructDTO[TotpConfirmation],
        return_dto=StructDTO[RecoveryCodesRead],
        status_code=200,
        summary="Confirm the app that makes codes",
        description=(
            "Sign-in needs a code of the app from now on. Your first second factor comes with recovery codes, which "
            "are shown here only. Ends your other sessions."
        ),
        opt=may_raise(TotpNotFound) | OPEN_TO_DEBTORS,
    )
    async def confirm_totp(
        self, data: JSONBody[TotpConfirmation], principal: Caller, totp: Injected[TotpService]
    ) -> RecoveryCodesRead:
        return await totp.confirm(data, principal)

    @delete(
        "/totp",
        guards=[recently_authenticated],
        summary="Remove the app that makes codes",
        description="With your last second factor, the recovery codes go.",
        opt=may_raise(TotpNotFound),
    )
    async def remove_totp(self, principal: Caller, totp: Injected[TotpService]) -> None:
        await totp.remove(principal)

    @post(
        "/recovery-codes",
        guards=[recently_authenticated, rate_limit("auth")],
        return_dto=StructDTO[RecoveryCodesRead],
        status_code=200,
        summary="Renew the recovery codes",
        description="Those before are good no more. Ends your other sessions.",
        opt=may_raise(SecondFactorOff),
    )
    async def renew_recovery_codes(
        self, principal: Caller, second_factors: Injected[SecondFactorService]
    ) -> RecoveryCodesRead:
        return await second_factors.renew_codes(principal)

from typing import Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.openapi import ResponseSpec
from litestar.params import JSONBody

from app.domain.accounts.dtos import DEFAULT_LOCALE, Registration, UserRead
from app.domain.accounts.errors import EmailTaken, UsernameTaken
from app.domain.accounts.settings import AccountSettings
from app.domain.auth.dtos.links import RegistrationAccepted
from app.domain.auth.dtos.mfa import MfaSignIn
from app.domain.auth.dtos.sessions import JsonWebKeys, Refresh, SignIn, TokenPair
from app.domain.auth.errors import AccountInactive, InvalidCredentials, MfaRequired, RefreshTokenReused
from app.domain.auth.oauth2 import FORM_ERRORS, TOKEN_ERRORS
from app.domain.auth.services.mfa_sign_in import MfaSignInService
from app.domain.auth.services.refresh import RefreshService
from app.domain.auth.services.registration import RegistrationService
from app.domain.auth.services.sessions import SessionService
from app.domain.auth.services.sign_in import SignInService
from app.domain.auth.services.tokens import TokenIssuer
from app.lib.http.injection import Caller, Injected
from app.lib.http.language import preferred_locale
from app.lib.http.locations import created
from app.lib.http.rules import FORM_OR_JSON
from app.lib.openapi.document import may_raise
from app.lib.openapi.examples import shows
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import OPEN_TO_DEBTORS, in_session, public, signed_in
from app.lib.wire.dto import FormDTO, StructDTO

_ACCEPTED = RegistrationAccepted(
    status="verification_required", detail="If the address can be used, a mail with the next step is on its way."
)


class AuthController(Controller):
    path = "/auth"
    tags = ("Auth",)

    @post(
        "/register",
        guards=[public, rate_limit("auth")],
        dto=StructDTO[Registration],
        return_dto=None,
        responses={202: ResponseSpec(RegistrationAccepted, generate_examples=False)},
        summary="Register",
        description="`Accept-Language` sets the `locale` of the new user, which chooses the language of mail.",
        opt=may_raise(EmailTaken, UsernameTaken) | shows(201, is_verified=False, roles=[], metadata={}),
    )
    async def register(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[Registration],
        registration: Injected[RegistrationService],
        settings: Injected[AccountSettings],
    ) -> Response[UserRead]:
        locale = preferred_locale(request.headers.get("accept-language", ""), DEFAULT_LOCALE)
        if not settings.require_verified_email:
            user = await registration.register(data, locale)
            return created(user, f"/api/v1/users/{user.id}")
        await registration.register_quietly(data, locale)
        accepted: Response[Any] = Response(_ACCEPTED, status_code=202)
        return accepted

    @post(
        "/login",
        guards=[public, rate_limit("auth")],
        dto=FormDTO[SignIn],
        return_dto=StructDTO[TokenPair],
        status_code=200,
        summary="Sign in",
        description=f"Send the OAuth2 password form or JSON. {FORM_ERRORS} For first-party clients. For a user with a "
        "second factor it is 403 `mfa_required`, with an `mfa_token` for the second step.",
        opt=FORM_OR_JSON | may_raise(InvalidCredentials, AccountInactive, MfaRequired),
        exception_handlers=TOKEN_ERRORS,
    )
    async def login(self, data: JSONBody[SignIn], sign_in: Injected[SignInService]) -> TokenPair:
        return await sign_in.sign_in(data)

    @post(
        "/login/mfa",
        guards=[public, rate_limit("auth")],
        dto=StructDTO[MfaSignIn],
        return_dto=StructDTO[TokenPair],
        status_code=200,
        summary="Sign in with a second factor",
        description="The second step, within 5 minutes and 5 tries after a sign-in was answered with `mfa_required`.",
    )
    async def login_mfa(self, data: JSONBody[MfaSignIn], mfa_sign_in: Injected[MfaSignInService]) -> TokenPair:
        return await mfa_sign_in.sign_in(data)

    @post(
        "/refresh",
        guards=[public, rate_limit("refresh")],
        dto=FormDTO[Refresh],
        return_dto=StructDTO[TokenPair],
        status_code=200,
        summary="Refresh a session",
        description=(
            "Each refresh token can be used once; a retry within 10 seconds gets the same refresh token again. "
            f"{FORM_ERRORS}"
        ),
        opt=FORM_OR_JSON | may_raise(RefreshTokenReused),
        exception_handlers=TOKEN_ERRORS,
    )
    async def refresh(self, data: JSONBody[Refresh], rotation: Injected[RefreshService]) -> TokenPair:
        return await rotation.refresh(data.refresh_token)

    @post(
        "/logout",
        guards=[in_session],
        status_code=204,
        summary="Sign out",
        description="Ends the session of the token. Its access and refresh tokens are good no more.",
        opt=OPEN_TO_DEBTORS,
    )
    async def logout(self, principal: Caller, sessions: Injected[SessionService]) -> None:
        await sessions.sign_out(principal)

    @post(
        "/logout-all",
        guards=[signed_in],
        status_code=204,
        summary="Sign out everywhere",
        description="Ends all your sessions, also the current one.",
        opt=OPEN_TO_DEBTORS,
    )
    async def logout_all(self, principal: Caller, sessions: Injected[SessionService]) -> None:
        await sessions.sign_out_everywhere(principal)


@get(
    "/.well-known/jwks.json",
    guards=[public],
    return_dto=StructDTO[JsonWebKeys],
    summary="List the keys that verify access tokens",
    description="Empty where tokens are signed with a shared secret. RFC 7517.",
    tags=["Auth"],
)
async def get_jwks(token_issuer: Injected[TokenIssuer]) -> Response[JsonWebKeys]:
    keys = msgspec.convert(token_issuer.signer.jwks(), JsonWebKeys)
    return Response(keys, headers={"Cache-Control": "public, max-age=300"})

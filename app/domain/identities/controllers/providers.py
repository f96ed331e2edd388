from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.params import JSONBody, PathParameter

from app.domain.accounts.dtos import DEFAULT_LOCALE
from app.domain.auth.dtos.sessions import SessionRead, TokenPair
from app.domain.auth.errors import AccountInactive, MfaRequired
from app.domain.identities.dtos import Authorization, ProviderAnswer, ProviderPage, ProviderReauthentication
from app.domain.identities.errors import EmailNotConfirmed, LinkRequired, NotAskedAgain, ProviderNotFound
from app.domain.identities.services.attempts import AttemptService
from app.domain.identities.services.queries import IdentityQueries
from app.domain.identities.services.reauthenticate import ProviderReauthenticationService
from app.domain.identities.services.sign_in import ProviderSignInService
from app.lib.http.injection import Caller, Injected, Paging
from app.lib.http.language import preferred_locale
from app.lib.openapi.document import may_raise
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import OPEN_TO_DEBTORS, public, signed_in
from app.lib.wire.dto import StructDTO

ProviderPath = Annotated[
    str,
    PathParameter(
        description="The provider's name.",
        schema_extra={"minLength": 1, "maxLength": 31, "pattern": "^[a-z][a-z0-9-]*$", "examples": ["google"]},
    ),
]


class ProviderController(Controller):
    path = "/auth/providers"
    tags = ("Identities",)

    @get(
        guards=[public],
        return_dto=StructDTO[ProviderPage],
        summary="List identity providers",
        description="Those that people can sign in with here; empty where there are none.",
    )
    async def list_providers(self, identity_queries: Injected[IdentityQueries], paging: Paging) -> ProviderPage:
        return identity_queries.list_providers(paging)

    @post(
        "/{name:str}/authorize",
        guards=[public, rate_limit("auth")],
        return_dto=StructDTO[Authorization],
        status_code=200,
        summary="Begin to sign in with an identity provider",
        description="Send the browser to `authorization_url`. The attempt is good for 10 minutes, once.",
        opt=may_raise(ProviderNotFound),
    )
    async def authorize_sign_in(self, name: ProviderPath, attempts: Injected[AttemptService]) -> Authorization:
        return await attempts.begin(name)

    @post(
        "/{name:str}/login",
        guards=[public, rate_limit("auth")],
        dto=StructDTO[ProviderAnswer],
        return_dto=StructDTO[TokenPair],
        status_code=200,
        summary="Sign in with an identity provider",
        description=(
            "Send what the browser came back with, and the secret that you kept. The first time the person becomes a "
            "user without a password, or is linked to the user whose confirmed address they have shown to be theirs. "
            "`Accept-Language` sets the `locale` of a new user."
        ),
        opt=may_raise(ProviderNotFound, EmailNotConfirmed, LinkRequired, AccountInactive, MfaRequired),
    )
    async def login_with_provider(
        self,
        request: Request[Any, Any, Any],
        name: ProviderPath,
        data: JSONBody[ProviderAnswer],
        provider_sign_in: Injected[ProviderSignInService],
    ) -> TokenPair:
        locale = preferred_locale(request.headers.get("accept-language", ""), DEFAULT_LOCALE)
        return await provider_sign_in.sign_in(name, data, locale)

    @post(
        "/{name:str}/reauthenticate/authorize",
        guards=[signed_in, rate_limit("auth")],
        return_dto=StructDTO[Authorization],
        status_code=200,
        summary="Begin to confirm who you are at an identity provider",
        description=(
            "Send the browser to `authorization_url`, where you are asked again. Not every provider can show that: for "
            "those, such as GitHub, there is `POST /api/v1/auth/reauthenticate/send-code`."
        ),
        opt=may_raise(ProviderNotFound, NotAskedAgain) | OPEN_TO_DEBTORS,
    )
    async def authorize_reauthentication(
        self, name: ProviderPath, principal: Caller, reauthentication: Injected[ProviderReauthenticationService]
    ) -> Authorization:
        return await reauthentication.begin(name, principal)

    @post(
        "/{name:str}/reauthenticate",
        guards=[signed_in, rate_limit("auth")],
        dto=StructDTO[ProviderReauthentication],
        return_dto=StructDTO[SessionRead],
        status_code=200,
        summary="Confirm who you are at an identity provider",
        description=(
            "Send what the browser came back with, and the secret that you kept. Sensitive acts (403 "
            "`reauth_required`) are possible in this session for the next 10 minutes. Users with a second factor send "
            "an `mfa_code` of it as well (403 `mfa_required`)."
        ),
        opt=may_raise(ProviderNotFound, NotAskedAgain, MfaRequired) | OPEN_TO_DEBTORS,
    )
    async def reauthenticate_with_provider(
        self,
        name: ProviderPath,
        data: JSONBody[ProviderReauthentication],
        principal: Caller,
        reauthentication: Injected[ProviderReauthenticationService],
    ) -> SessionRead:
        return await reauthentication.reauthenticate(name, data, principal)

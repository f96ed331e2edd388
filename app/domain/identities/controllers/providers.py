from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.params import JSONBody, PathParameter

from app.domain.accounts.dtos import DEFAULT_LOCALE
from app.domain.auth.dtos.sessions import TokenPair
from app.domain.auth.errors import AccountInactive, MfaRequired
from app.domain.identities.dtos import Authorization, ProviderAnswer, ProviderPage
from app.domain.identities.errors import EmailNotConfirmed, LinkRequired, ProviderNotFound
from app.domain.identities.services.attempts import AttemptService
from app.domain.identities.services.queries import IdentityQueries
from app.domain.identities.services.sign_in import ProviderSignInService
from app.lib.http.injection import Injected, Paging
from app.lib.http.language import preferred_locale
from app.lib.openapi.document import may_raise
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import public
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

    @get(guards=[public], return_dto=StructDTO[ProviderPage], summary="List identity providers")
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

from uuid import UUID

from litestar import Controller, delete, get, post
from litestar.params import FromPath, JSONBody

from app.domain.auth.errors import LastWayIn
from app.domain.identities.dtos import Authorization, IdentityLink, IdentityPage, IdentityRead, LinkRequest
from app.domain.identities.errors import IdentityNotFound, IdentityTaken, OwnEmailNotConfirmed, ProviderNotFound
from app.domain.identities.services.link import LinkService
from app.domain.identities.services.queries import IdentityQueries
from app.lib.http.injection import Caller, Injected, Paging
from app.lib.openapi.document import may_raise
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import recently_authenticated, signed_in
from app.lib.wire.dto import StructDTO


class IdentityController(Controller):
    path = "/users/me/identities"
    tags = ("Identities",)
    return_dto = StructDTO[IdentityRead]

    @get(
        guards=[signed_in],
        return_dto=StructDTO[IdentityPage],
        summary="List your identities",
        description="Accounts at identity providers that you can sign in with.",
    )
    async def list_identities(
        self, identity_queries: Injected[IdentityQueries], principal: Caller, paging: Paging
    ) -> IdentityPage:
        return await identity_queries.list(paging, principal)

    @post(
        "/authorize",
        guards=[recently_authenticated, rate_limit("auth")],
        dto=StructDTO[LinkRequest],
        return_dto=StructDTO[Authorization],
        status_code=200,
        summary="Begin to link an identity",
        description="Send the browser to `authorization_url`.",
        opt=may_raise(ProviderNotFound),
    )
    async def authorize_link(
        self, data: JSONBody[LinkRequest], identity_links: Injected[LinkService], principal: Caller
    ) -> Authorization:
        return await identity_links.begin(data.provider, principal)

    @post(
        "/link",
        guards=[signed_in, rate_limit("auth")],
        dto=StructDTO[IdentityLink],
        status_code=200,
        summary="Link an identity",
        description=(
            "Send what the browser came back with, and the secret that you kept. You are notified by mail, and may "
            "sign in by it from now on. Your account can have one identity of each provider."
        ),
        opt=may_raise(ProviderNotFound, OwnEmailNotConfirmed, IdentityTaken),
    )
    async def link_identity(
        self, data: JSONBody[IdentityLink], identity_links: Injected[LinkService], principal: Caller
    ) -> IdentityRead:
        return await identity_links.link(data, principal)

    @delete(
        "/{identity_id:uuid}",
        guards=[recently_authenticated],
        summary="Unlink an identity",
        description=(
            "Ends your other sessions. Not the last way to sign in: set a password first, by "
            "`POST /api/v1/auth/forgot-password`."
        ),
        opt=may_raise(IdentityNotFound, LastWayIn),
    )
    async def unlink_identity(
        self, identity_id: FromPath[UUID], identity_links: Injected[LinkService], principal: Caller
    ) -> None:
        await identity_links.unlink(identity_id, principal)

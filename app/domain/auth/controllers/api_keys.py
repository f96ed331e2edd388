from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath, JSONBody

from app.domain.accounts.controllers.users import SEES_USER
from app.domain.accounts.errors import BeyondOwnRights
from app.domain.accounts.permissions import USERS_READ, USERS_WRITE
from app.domain.accounts.services.queries import AccountQueries
from app.domain.auth.dtos.api_keys import ApiKeyCreate, ApiKeyPage, ApiKeyRead, ApiKeyWithSecret
from app.domain.auth.errors import OwnKeysOnly, TooManyApiKeys
from app.domain.auth.services.api_keys import ApiKeyQueries, ApiKeyService
from app.lib.http.injection import Caller, Injected, Paging
from app.lib.http.locations import created
from app.lib.http.rules import TEXT_BODY
from app.lib.openapi.document import may_raise
from app.lib.security.policies import permission, recently_authenticated, signed_in
from app.lib.wire.dto import StructDTO

Keys = Injected[ApiKeyService]
Queries = Injected[ApiKeyQueries]
KeyId = FromPath[UUID]
UserId = FromPath[UUID]


class ApiKeyController(Controller):
    path = "/users/me/api-keys"
    tags = ("API keys",)
    return_dto = StructDTO[ApiKeyRead]

    @get(
        guards=[signed_in],
        return_dto=StructDTO[ApiKeyPage],
        summary="List your API keys",
        description="Without their secrets, which only the answers of their creation have.",
    )
    async def list_api_keys(self, queries: Queries, principal: Caller, paging: Paging) -> ApiKeyPage:
        return await queries.list(paging, principal.user_id)

    @post(
        guards=[recently_authenticated],
        dto=StructDTO[ApiKeyCreate],
        return_dto=StructDTO[ApiKeyWithSecret],
        summary="Create an API key",
        description="Only this answer has the secret, which is sent like an access token.",
        opt=TEXT_BODY | may_raise(TooManyApiKeys),
    )
    async def create_api_key(
        self, data: JSONBody[ApiKeyCreate], keys: Keys, principal: Caller
    ) -> Response[ApiKeyWithSecret]:
        return _shown_once(await keys.create_own(data, principal), "me")

    @get(
        "/{key_id:uuid}",
        guards=[signed_in],
        summary="Get an API key",
        description="One of your own keys without its secret: its permissions, last use and end.",
    )
    async def get_api_key(self, key_id: KeyId, queries: Queries, principal: Caller) -> ApiKeyRead:
        return await queries.get(key_id, principal.user_id)

    @delete(
        "/{key_id:uuid}",
        guards=[signed_in],
        summary="Revoke an API key",
        description="The key is refused from the next request on. It stays in the list.",
    )
    async def revoke_api_key(self, key_id: KeyId, keys: Keys, principal: Caller) -> None:
        await keys.revoke(key_id, principal)


class UserKeyController(Controller):
    path = "/users/{user_id:uuid}/api-keys"
    tags = ("API keys",)
    return_dto = StructDTO[ApiKeyRead]

    @get(
        guards=[permission(USERS_READ, sight=SEES_USER, in_person=True)],
        return_dto=StructDTO[ApiKeyPage],
        summary="List a user's API keys",
        description="Without their secrets, for administrators.",
    )
    async def list_user_api_keys(
        self, user_id: UserId, queries: Queries, accounts: Injected[AccountQueries], paging: Paging
    ) -> ApiKeyPage:
        await accounts.get_user(user_id)
        return await queries.list(paging, user_id)

    @post(
        guards=[permission(USERS_WRITE, sight=SEES_USER, fresh=True)],
        dto=StructDTO[ApiKeyCreate],
        return_dto=StructDTO[ApiKeyWithSecret],
        summary="Create an API key of a service account",
        description="Only this answer has the secret. The account has to be within your own rights.",
        opt=TEXT_BODY | may_raise(BeyondOwnRights, OwnKeysOnly, TooManyApiKeys),
    )
    async def create_service_api_key(
        self, user_id: UserId, data: JSONBody[ApiKeyCreate], keys: Keys, principal: Caller
    ) -> Response[ApiKeyWithSecret]:
        return _shown_once(await keys.create_for(user_id, data, principal), user_id)

    @get(
        "/{key_id:uuid}",
        guards=[permission(USERS_READ, sight=SEES_USER, in_person=True)],
        summary="Get a user's API key",
        description="Without its secret: its permissions, last use and end.",
    )
    async def get_user_api_key(self, user_id: UserId, key_id: KeyId, queries: Queries) -> ApiKeyRead:
        return await queries.get(key_id, user_id)

    @delete(
        "/{key_id:uuid}",
        guards=[permission(USERS_WRITE, sight=SEES_USER, in_person=True)],
        summary="Revoke a user's API key",
        description="The key is refused from the next request on.",
        opt=may_raise(BeyondOwnRights),
    )
    async def revoke_user_api_key(self, user_id: UserId, key_id: KeyId, keys: Keys, principal: Caller) -> None:
        await keys.revoke(key_id, principal, user_id=user_id)


def _shown_once(key: ApiKeyWithSecret, owner: UUID | str) -> Response[ApiKeyWithSecret]:
    response = created(key, f"/api/v1/users/{owner}/api-keys/{key.id}")
    response.headers["Cache-Control"] = "no-store"
    return response

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from app.domain.accounts.dtos import (
    NewPassword,
    RoleAssignment,
    ServiceAccountCreate,
    UserCreate,
    UserPage,
    UserRead,
    UserUpdate,
    UserWithProfile,
)
from app.domain.accounts.errors import (
    BeyondOwnRights,
    EmailTaken,
    FixedServiceAccount,
    LastSuperuser,
    TooManyServiceAccounts,
    UsernameTaken,
)
from app.domain.accounts.permissions import ROLES_WRITE, USERS_DELETE, USERS_READ, USERS_WRITE
from app.domain.accounts.services.queries import USER_SORT, AccountQueries
from app.domain.accounts.services.roles import RoleService
from app.domain.accounts.services.users import UserService
from app.lib.errors import ReauthRequired
from app.lib.http.injection import Caller, Injected, Paging, Precondition, Times
from app.lib.http.locations import created
from app.lib.http.rules import METADATA_BODY, TEXT_BODY
from app.lib.http.transaction import IDEMPOTENT
from app.lib.openapi.document import may_raise
from app.lib.openapi.examples import shows
from app.lib.security.policies import permission, sees
from app.lib.wire.dto import StructDTO
from app.lib.wire.struct_schema import example_id

SEES_USER = sees(USERS_READ, or_self="user_id")

Users = Injected[UserService]
Accounts = Injected[AccountQueries]
UserId = FromPath[UUID]
RoleFilter = Annotated[
    # msgspec reads the one and the document is written from the other.
    list[Annotated[str, Meta(min_length=1, max_length=50), QueryParameter(min_length=1, max_length=50)]] | None,
    QueryParameter(name="role", description="Has this role; repeat for any of several.", max_items=20),
]
ActiveFilter = Annotated[
    list[bool] | None, QueryParameter(description="Only active users, or only deactivated ones.", max_items=2)
]
SuperuserFilter = Annotated[
    list[bool] | None, QueryParameter(description="Only superusers, or only other users.", max_items=2)
]
ServiceFilter = Annotated[
    list[bool] | None, QueryParameter(description="Only service accounts, or only people.", max_items=2)
]
Text = Annotated[
    str | None, QueryParameter(min_length=1, max_length=100, description="Part of the address, username or name.")
]
Expand = Annotated[Literal["profile"] | None, QueryParameter(description="Adds the profile.")]


class UserController(Controller):
    path = "/users"
    tags = ("Users",)
    return_dto = StructDTO[UserRead]

    @get(
        guards=[permission(USERS_READ)],
        return_dto=StructDTO[UserPage],
        summary="List users",
        description="Newest first, with filters and full-text search. Deleted users are not listed.",
    )
    async def list_users(
        self,
        accounts: Accounts,
        paging: Paging,
        times: Times,
        role: RoleFilter = None,
        is_active: ActiveFilter = None,
        is_superuser: SuperuserFilter = None,
        is_service: ServiceFilter = None,
        q: Text = None,
        sort: Annotated[str | None, USER_SORT] = None,
    ) -> UserPage:
        filters = {
            "role": role,
            "is_active": is_active,
            "is_superuser": is_superuser,
            "is_service": is_service,
            "q": q,
            **times,
        }
        return await accounts.list_users(paging, sort, filters)

    @post(
        guards=[permission(USERS_WRITE, fresh=True)],
        dto=StructDTO[UserCreate],
        summary="Create a user",
        description="Only superusers may set `is_superuser`.",
        opt=IDEMPOTENT | METADATA_BODY | may_raise(EmailTaken, UsernameTaken) | shows(201, roles=[]),
    )
    async def create_user(self, data: JSONBody[UserCreate], users: Users, principal: Caller) -> Response[UserRead]:
        user = await users.create(data, principal)
        return created(user, f"/api/v1/users/{user.id}")

    @get(
        "/{user_id:uuid}",
        guards=[SEES_USER],
        return_dto=None,
        summary="Get a user",
        description="Yourself, or with `users:read` any user. With `expand=profile` there is no ETag.",
    )
    async def get_user(
        self, user_id: UserId, accounts: Accounts, principal: Caller, expand: Expand = None
    ) -> UserRead | UserWithProfile:
        if expand is None:
            return await accounts.get_user(user_id)
        return await accounts.get_user_with_profile(user_id, principal)

    @patch(
        "/{user_id:uuid}",
        guards=[permission(USERS_WRITE, sight=SEES_USER)],
        dto=StructDTO[UserUpdate],
        summary="Update a user",
        description=(
            "Only superusers may change `is_superuser`. Address and flags need a sign-in within 10 minutes. The former "
            "address, if it was confirmed, is mailed a link that undoes the change. Your own address is changed by "
            "`POST /users/me/email`."
        ),
        opt=METADATA_BODY
        | may_raise(EmailTaken, UsernameTaken, FixedServiceAccount, LastSuperuser, BeyondOwnRights, ReauthRequired),
    )
    async def update_user(
        self, user_id: UserId, data: JSONBody[UserUpdate], users: Users, principal: Caller, if_match: Precondition
    ) -> UserRead:
        return await users.update(user_id, data, if_match, principal)

    @delete(
        "/{user_id:uuid}",
        guards=[permission(USERS_DELETE, sight=SEES_USER, fresh=True)],
        summary="Delete a user",
        description="Deletes the user and all that belongs to them.",
        opt=may_raise(LastSuperuser, BeyondOwnRights),
    )
    async def delete_user(self, user_id: UserId, users: Users, principal: Caller, if_match: Precondition) -> None:
        await users.delete(user_id, if_match, principal)

    @post(
        "/{user_id:uuid}/activate",
        guards=[permission(USERS_WRITE, sight=SEES_USER, fresh=True)],
        status_code=200,
        summary="Activate a user",
        description="The user can sign in again.",
        opt=may_raise(BeyondOwnRights),
    )
    async def activate_user(self, user_id: UserId, users: Users, principal: Caller, if_match: Precondition) -> UserRead:
        return await users.activate(user_id, if_match, principal)

    @post(
        "/{user_id:uuid}/deactivate",
        guards=[permission(USERS_WRITE, sight=SEES_USER)],
        status_code=200,
        summary="Deactivate a user",
        description="Ends their sessions at once.",
        opt=may_raise(BeyondOwnRights, LastSuperuser) | shows(200, is_active=False),
    )
    async def deactivate_user(
        self, user_id: UserId, users: Users, principal: Caller, if_match: Precondition
    ) -> UserRead:
        return await users.deactivate(user_id, if_match, principal)

    @post(
        "/{user_id:uuid}/password",
        guards=[permission(USERS_WRITE, sight=SEES_USER, fresh=True)],
        dto=StructDTO[NewPassword],
        status_code=200,
        summary="Set a user's password",
        description=(
            "Ends their sessions and API keys. They have to change it when they sign in: until then other routes "
            "answer 403 `password_change_required`. Better have a reset mailed."
        ),
        opt=may_raise(BeyondOwnRights),
    )
    async def set_user_password(
        self, user_id: UserId, data: JSONBody[NewPassword], users: Users, principal: Caller, if_match: Precondition
    ) -> UserRead:
        return await users.set_password(user_id, data.password, if_match, principal)

    @put(
        "/{user_id:uuid}/roles",
        guards=[permission(ROLES_WRITE, sight=SEES_USER, fresh=True)],
        dto=StructDTO[RoleAssignment],
        summary="Set a user's roles",
        description="You cannot give permissions that you lack, nor change your own roles.",
        opt=may_raise(BeyondOwnRights),
    )
    async def set_user_roles(
        self,
        user_id: UserId,
        data: JSONBody[RoleAssignment],
        roles: Injected[RoleService],
        principal: Caller,
        if_match: Precondition,
    ) -> UserRead:
        return await roles.set_roles(user_id, data.roles, if_match, principal)


_SERVICE_ACCOUNT: dict[str, Any] = {
    "email": f"{example_id('user_id')}@service.invalid",
    "username": None,
    "name": "Nightly import",
    "locale": "en",
    "is_verified": False,
    "is_service": True,
    "roles": [],
    "metadata": {},
}


@post(
    "/service-accounts",
    guards=[permission(USERS_WRITE, fresh=True)],
    dto=StructDTO[ServiceAccountCreate],
    return_dto=StructDTO[UserRead],
    summary="Create a service account",
    description="A user for programs, without a password and an address. Give it roles and API keys.",
    opt=IDEMPOTENT | TEXT_BODY | may_raise(TooManyServiceAccounts) | shows(201, **_SERVICE_ACCOUNT),
    tags=["Users"],
)
async def create_service_account(data: JSONBody[ServiceAccountCreate], users: Users) -> Response[UserRead]:
    user = await users.create_service_account(data)
    return created(user, f"/api/v1/users/{user.id}")

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from app.domain.accounts.dtos import PermissionPage, PermissionRead, RoleCreate, RolePage, RoleRead, RoleUpdate
from app.domain.accounts.errors import BeyondOwnRights, RoleNameTaken
from app.domain.accounts.permissions import ROLES_READ, ROLES_WRITE
from app.domain.accounts.services.queries import ROLE_SORT_KEYS, AccountQueries
from app.domain.accounts.services.roles import RoleService
from app.lib.db.versions import IfMatch
from app.lib.domain import Permissions
from app.lib.errors import PreconditionFailed, ReauthRequired
from app.lib.http.injection import Injected
from app.lib.http.locations import created, linked
from app.lib.http.transaction import IDEMPOTENT
from app.lib.openapi.document import may_raise
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import page_of
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.sorting import sort_parameter
from app.lib.security.policies import permission, sees
from app.lib.security.principal import Principal
from app.lib.wire.dto import StructDTO

SEES_ROLE = sees(ROLES_READ)


class RoleController(Controller):
    path = "/roles"
    tags = ("Roles",)

    @get(
        guards=[permission(ROLES_READ)], return_dto=StructDTO[RolePage], operation_id="listRoles", summary="List roles"
    )
    async def list_roles(
        self,
        request: Request[Any, Any, Any],
        accounts: Injected[AccountQueries],
        paging: Injected[PageRequest],
        sort: Annotated[str | None, sort_parameter(ROLE_SORT_KEYS, "name")] = None,
    ) -> Response[RolePage]:
        return linked(request, await accounts.list_roles(paging, sort))

    @post(
        guards=[permission(ROLES_WRITE, fresh=True)],
        dto=StructDTO[RoleCreate],
        return_dto=StructDTO[RoleRead],
        operation_id="createRole",
        summary="Create a role",
        opt=IDEMPOTENT | may_raise(RoleNameTaken, BeyondOwnRights, ReauthRequired),
    )
    async def create_role(
        self, data: JSONBody[RoleCreate], roles: Injected[RoleService], principal: Injected[Principal]
    ) -> Response[RoleRead]:
        role = await roles.create(data, principal)
        return created(role, f"/api/v1/roles/{role.id}")

    @get(
        "/{role_id:uuid}",
        guards=[SEES_ROLE],
        return_dto=StructDTO[RoleRead],
        operation_id="getRole",
        summary="Get a role",
    )
    async def get_role(self, role_id: FromPath[UUID], accounts: Injected[AccountQueries]) -> RoleRead:
        return await accounts.get_role(role_id)

    @patch(
        "/{role_id:uuid}",
        guards=[permission(ROLES_WRITE, sight=SEES_ROLE, fresh=True)],
        dto=StructDTO[RoleUpdate],
        return_dto=StructDTO[RoleRead],
        operation_id="updateRole",
        summary="Update a role",
        opt=may_raise(RoleNameTaken, BeyondOwnRights, ReauthRequired, PreconditionFailed),
    )
    async def update_role(
        self,
        role_id: FromPath[UUID],
        data: JSONBody[RoleUpdate],
        roles: Injected[RoleService],
        principal: Injected[Principal],
        if_match: Injected[IfMatch],
    ) -> RoleRead:
        return await roles.update(role_id, data, if_match, principal)

    @delete(
        "/{role_id:uuid}",
        guards=[permission(ROLES_WRITE, sight=SEES_ROLE, fresh=True)],
        operation_id="deleteRole",
        summary="Delete a role",
        description="Also takes it from the users who have it.",
        opt=may_raise(BeyondOwnRights, ReauthRequired, PreconditionFailed),
    )
    async def delete_role(
        self,
        role_id: FromPath[UUID],
        roles: Injected[RoleService],
        principal: Injected[Principal],
        if_match: Injected[IfMatch],
    ) -> None:
        await roles.delete(role_id, if_match, principal)


@get(
    "/permissions",
    guards=[permission(ROLES_READ)],
    return_dto=StructDTO[PermissionPage],
    operation_id="listPermissions",
    summary="List permissions",
    description="The permissions that roles can give.",
    tags=["Roles"],
)
async def list_permissions(
    request: Request[Any, Any, Any],
    permission_registry: Injected[Permissions],
    paging: Injected[PageRequest],
    cursors: Injected[CursorCodec],
) -> Response[PermissionPage]:
    items = [
        PermissionRead(code=each.code, description=each.description) for _, each in sorted(permission_registry.items())
    ]
    return linked(request, page_of(PermissionPage, "permissions", items, paging, cursors))

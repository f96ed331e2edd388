from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from app.domain.accounts.dtos import PermissionPage, PermissionRead, RoleCreate, RolePage, RoleRead, RoleUpdate
from app.domain.accounts.errors import BeyondOwnRights, RoleNameTaken, SystemRole
from app.domain.accounts.permissions import ROLES_READ, ROLES_WRITE
from app.domain.accounts.services.queries import ROLE_SORT, AccountQueries
from app.domain.accounts.services.roles import RoleService
from app.lib.domain import Permissions
from app.lib.http.injection import Caller, Injected, Paging, Precondition
from app.lib.http.locations import created
from app.lib.http.rules import TEXT_BODY
from app.lib.http.transaction import IDEMPOTENT
from app.lib.openapi.document import may_raise
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import page_of
from app.lib.security.policies import permission, sees
from app.lib.wire.dto import StructDTO

Roles = Injected[RoleService]
Accounts = Injected[AccountQueries]
RoleId = FromPath[UUID]

SEES_ROLE = sees(ROLES_READ)
WRITES_ROLE = permission(ROLES_WRITE, sight=SEES_ROLE, fresh=True)


class RoleController(Controller):
    path = "/roles"
    tags = ("Roles",)
    return_dto = StructDTO[RoleRead]

    @get(
        guards=[permission(ROLES_READ)],
        return_dto=StructDTO[RolePage],
        summary="List roles",
        description="All roles with their permissions.",
    )
    async def list_roles(
        self, accounts: Accounts, paging: Paging, sort: Annotated[str | None, ROLE_SORT] = None
    ) -> RolePage:
        return await accounts.list_roles(paging, sort)

    @post(
        guards=[permission(ROLES_WRITE, fresh=True)],
        dto=StructDTO[RoleCreate],
        summary="Create a role",
        description="A name, and the permissions that it gives: only those that you have yourself.",
        opt=IDEMPOTENT | TEXT_BODY | may_raise(RoleNameTaken, BeyondOwnRights, SystemRole),
    )
    async def create_role(self, data: JSONBody[RoleCreate], roles: Roles, principal: Caller) -> Response[RoleRead]:
        role = await roles.create(data, principal)
        return created(role, f"/api/v1/roles/{role.id}")

    @get("/{role_id:uuid}", guards=[SEES_ROLE], summary="Get a role", description="A role with its permissions.")
    async def get_role(self, role_id: RoleId, accounts: Accounts) -> RoleRead:
        return await accounts.get_role(role_id)

    @patch(
        "/{role_id:uuid}",
        guards=[WRITES_ROLE],
        dto=StructDTO[RoleUpdate],
        summary="Update a role",
        description="Users who have the role have its new permissions at once. You cannot give those that you lack.",
        opt=TEXT_BODY | may_raise(RoleNameTaken, BeyondOwnRights, SystemRole),
    )
    async def update_role(
        self, role_id: RoleId, data: JSONBody[RoleUpdate], roles: Roles, principal: Caller, if_match: Precondition
    ) -> RoleRead:
        return await roles.update(role_id, data, if_match, principal)

    @delete(
        "/{role_id:uuid}",
        guards=[WRITES_ROLE],
        summary="Delete a role",
        description="Also takes it from the users who have it.",
        opt=may_raise(BeyondOwnRights, SystemRole),
    )
    async def delete_role(self, role_id: RoleId, roles: Roles, principal: Caller, if_match: Precondition) -> None:
        await roles.delete(role_id, if_match, principal)


@get(
    "/permissions",
    guards=[permission(ROLES_READ)],
    return_dto=StructDTO[PermissionPage],
    summary="List permissions",
    description="The permissions that roles can give.",
    tags=["Roles"],
)
async def list_permissions(
    permission_registry: Injected[Permissions], paging: Paging, cursors: Injected[CursorCodec]
) -> PermissionPage:
    items = [
        PermissionRead(code=each.code, description=each.description) for _, each in sorted(permission_registry.items())
    ]
    return page_of(PermissionPage, "permissions", items, paging, cursors)

"""Roles: prepared selects for the Reader, and the repository that writes."""

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from sqlalchemy import (
    Uuid,
    bindparam,
    delete,
    insert,
    select,
)

from app.domain.accounts.dtos import (
    RolePage,
    RoleRead,
)
from app.domain.accounts.errors import (
    RoleNameTaken,
    RoleNotFound,
)
from app.domain.accounts.models import Role, RolePermission
from app.lib.db.prepared import columns_of, joined_strings, prepare
from app.lib.db.repositories import EntityRepository
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey

_ROLE_ID = bindparam("role_id", type_=Uuid())
_permissions = joined_strings(Role, RolePermission.code, RolePermission.role_id == Role.id)
_roles = select(*columns_of(RoleRead, Role, permissions=_permissions))
ROLE = prepare(_roles.where(Role.id == _ROLE_ID), RoleRead)
ROLE_ID = prepare(select(Role.id).where(Role.name == bindparam("name")), UUID)
ROLE_LIST = ListQuery(
    "roles", RolePage, _roles, identity=Role.id, sorts=(SortKey("name", Role.name, str),), default_sort="name"
)


_delete_role_permissions = prepare(delete(RolePermission).where(RolePermission.role_id == _ROLE_ID))
_insert_role_permission = prepare(insert(RolePermission))


class RoleRepository(EntityRepository[Role]):
    model = Role
    not_found = RoleNotFound
    taken: ClassVar = {"name": RoleNameTaken}

    async def lock_named(self, names: Iterable[str]) -> dict[str, UUID]:
        """The ids of the roles that have these names, locked against deletion until the transaction ends."""
        found = await self.unit.session.execute(
            select(Role.name, Role.id).where(Role.name.in_(set(names))).order_by(Role.id).with_for_update(read=True)
        )
        return dict(found.tuples().all())

    async def permissions_of(self, *role_ids: UUID) -> frozenset[str]:
        """The permissions that the roles give together."""
        found = await self.unit.session.execute(
            select(RolePermission.code).where(RolePermission.role_id.in_(role_ids)).distinct()
        )
        return frozenset(found.scalars())

    async def set_permissions(self, role_id: UUID, codes: Iterable[str], *, is_new: bool = False) -> None:
        if not is_new:
            await self.unit.execute(_delete_role_permissions, role_id=role_id)
        await self.unit.execute_many(_insert_role_permission, [{"role_id": role_id, "code": code} for code in codes])

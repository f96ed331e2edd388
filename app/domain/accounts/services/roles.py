from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from msgspec import UNSET

from app.domain.accounts.dtos import RoleCreate, RoleRead, RoleUpdate, UserRead
from app.domain.accounts.errors import OwnAccess, SystemRole
from app.domain.accounts.events import RoleDeleted, RoleUpdated, UserUpdated
from app.domain.accounts.models import Role
from app.domain.accounts.repositories.roles import RoleRepository
from app.domain.accounts.repositories.users import UserRepository
from app.domain.accounts.role_names import is_reserved_role
from app.domain.accounts.services.access import check_granted, check_reach
from app.domain.accounts.services.holders import touch_first_holders
from app.domain.accounts.services.users import to_read
from app.domain.accounts.settings import AccountSettings
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.domain import Permissions
from app.lib.errors import FieldCode, ValidationFailed, unknown_items
from app.lib.events import Events
from app.lib.security.principal import Principal
from app.lib.wire.dto import project


@dataclass
class RoleService:
    """Creates, updates and deletes roles, and gives them to users. No actor grants what they lack."""

    unit: UnitOfWork
    registry: Permissions
    settings: AccountSettings
    events: Events
    origin: Origin
    _roles: RoleRepository
    _users: UserRepository

    async def create(self, data: RoleCreate, actor: Principal) -> RoleRead:
        """Raises ``ValidationFailed``, ``BeyondOwnRights``, ``SystemRole`` or ``RoleNameTaken``."""
        if is_reserved_role(data.name):
            raise SystemRole
        codes = self._registered(data.permissions)
        check_granted(actor, codes)
        role = await self._roles.create(data)
        await self._roles.set_permissions(role.id, codes, is_new=True)
        await self._audit("role.created", role, codes)
        return _to_read(role, codes)

    async def update(self, role_id: UUID, data: RoleUpdate, if_match: IfMatch, actor: Principal) -> RoleRead:
        """Raises ``RoleNotFound``, ``PreconditionFailed``, ``BeyondOwnRights``, ``SystemRole`` or ``RoleNameTaken``."""
        role = await self._roles.get_for_update(role_id, if_match)
        former_name, required_mfa = role.name, role.requires_mfa
        former = await self._roles.permissions_of(role_id)
        check_granted(actor, former)
        if data.name not in {UNSET, former_name}:
            self._check_not_default(former_name)
            if is_reserved_role(str(data.name)) or data.name == self.settings.default_role:
                raise SystemRole
        codes = self._registered(data.permissions) if isinstance(data.permissions, list) else former
        check_granted(actor, codes)
        if not await self._roles.update(role, data, touch=codes != former):
            return _to_read(role, codes)
        if codes != former:
            await self._roles.set_permissions(role_id, codes)
        if role.name != former_name:
            await touch_first_holders(self.unit, role_id, is_deleted=False)
        if role.name != former_name or role.requires_mfa != required_mfa or codes != former:
            await self.events.publish(self.unit, RoleUpdated(aggregate_id=role.id, aggregate_version=role.version))
        await self._audit("role.updated", role, codes)
        return _to_read(role, codes)

    async def delete(self, role_id: UUID, if_match: IfMatch, actor: Principal) -> None:
        """Also takes the role from the users who have it.

        Raises ``RoleNotFound``, ``PreconditionFailed``, ``BeyondOwnRights`` or ``SystemRole``.
        """
        role = await self._roles.get_for_update(role_id, if_match)
        codes = await self._roles.permissions_of(role_id)
        check_granted(actor, codes)
        self._check_not_default(role.name)
        await self._audit("role.deleted", role, codes)
        await self._roles.delete(role)
        await touch_first_holders(self.unit, role_id, is_deleted=True)
        await self.events.publish(self.unit, RoleDeleted(aggregate_id=role.id, aggregate_version=role.version + 1))

    async def set_roles(self, user_id: UUID, names: Sequence[str], if_match: IfMatch, actor: Principal) -> UserRead:
        """Sets the roles of a user. Roles are locked before users, as everywhere.

        Raises ``UserNotFound``, ``OwnAccess``, ``BeyondOwnRights``, ``PreconditionFailed`` or ``ValidationFailed``.
        """
        roles = await self._roles.lock_named(names)
        user = await self._users.get_for_update(user_id, if_match)
        if user.id == actor.user_id:
            raise OwnAccess
        await check_reach(actor, user, self._users)
        if unknown := unknown_items("/roles", names, roles, FieldCode.NOT_FOUND, "There is no such role."):
            raise ValidationFailed(unknown)
        check_granted(actor, await self._roles.permissions_of(*roles.values()))
        wanted = sorted(roles)
        if wanted != await self._users.role_names_of(user_id):
            await self._users.set_roles(user_id, roles.values())
            await self._users.update(user, touch=True)
            await self.events.publish(self.unit, UserUpdated(aggregate_id=user_id, aggregate_version=user.version))
            await audit.record(self.unit, "user.roles_set", self.origin, subject_id=user_id, roles=wanted)
        return to_read(user, wanted)

    def _check_not_default(self, name: str) -> None:
        if name == self.settings.default_role:
            raise SystemRole

    def _registered(self, codes: Collection[str]) -> frozenset[str]:
        detail = "There is no such permission."
        if unknown := unknown_items("/permissions", codes, self.registry, FieldCode.INVALID_CHOICE, detail):
            raise ValidationFailed(unknown)
        return frozenset(codes)

    async def _audit(self, kind: str, role: Role, codes: frozenset[str]) -> None:
        details = {"name": role.name, "permissions": sorted(codes), "requires_mfa": role.requires_mfa}
        await audit.record(self.unit, kind, self.origin, subject_id=role.id, **details)


def _to_read(role: Role, codes: frozenset[str]) -> RoleRead:
    return project(RoleRead, role, permissions=sorted(codes))

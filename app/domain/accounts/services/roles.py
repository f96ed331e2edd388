from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from app.domain.accounts.dtos import RoleCreate, RoleRead, RoleUpdate, UserRead
from app.domain.accounts.errors import OwnAccess, RoleNameTaken, RoleNotFound, UserNotFound
from app.domain.accounts.events import RoleDeleted, RoleUpdated, UserUpdated
from app.domain.accounts.models import Role
from app.domain.accounts.repositories import RoleRepository, UserRepository
from app.domain.accounts.services.access import check_granted, check_reach
from app.domain.accounts.services.users import to_read
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.faults import violated_columns
from app.lib.db.service import EntityService
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.domain import Permission
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.events import Events
from app.lib.security.principal import Principal
from app.lib.wire.dto import project, provided

PermissionRegistry = Mapping[str, Permission]


class RoleService(EntityService[Role, RoleRepository]):
    """Roles, and who has them. Nobody grants what they lack."""

    repository_type = RoleRepository
    not_found = RoleNotFound

    def __init__(self, unit: UnitOfWork, registry: PermissionRegistry, events: Events, origin: Origin) -> None:
        super().__init__(unit)
        self.registry = registry
        self.events = events
        self.origin = origin
        self.users = UserRepository(session=unit.session)

    async def add(self, data: RoleCreate, actor: Principal) -> RoleRead:
        """Raises ``ValidationFailed``, ``BeyondOwnRights`` or ``RoleNameTaken``."""
        codes = self._known(data.permissions)
        check_granted(actor, codes)
        role = Role(name=data.name, description=data.description)
        self.unit.session.add(role)
        await self._flush()
        await self.repository.replace_permissions(role.id, codes)
        await self._audit("role.created", role, codes)
        return _to_read(role, codes)

    async def change(self, role_id: UUID, data: RoleUpdate, if_match: IfMatch, actor: Principal) -> RoleRead:
        """Raises ``RoleNotFound``, ``PreconditionFailed``, ``BeyondOwnRights`` or ``RoleNameTaken``."""
        role = await self.require_locked(role_id, if_match.versions)
        present = provided(data)
        codes = wanted = await self.repository.permissions_of([role_id])
        check_granted(actor, codes)
        if "permissions" in present:
            wanted = self._known(present.pop("permissions"))
            check_granted(actor, wanted)
        renamed = present.get("name", role.name) != role.name
        before = role.version
        for name, value in present.items():
            setattr(role, name, value)
        if wanted != codes:
            role.updated_at = utc_now()  # a change of the role, although its own row says the same
        await self._flush()
        if wanted != codes:
            await self.repository.replace_permissions(role_id, wanted)
        if role.version == before:
            return _to_read(role, wanted)
        if renamed:
            await self.users.touch_holders(role_id)
        if renamed or wanted != codes:
            await self.events.publish(self.unit, RoleUpdated(aggregate_id=role.id, aggregate_version=role.version))
        await self._audit("role.updated", role, wanted)
        return _to_read(role, wanted)

    async def remove(self, role_id: UUID, if_match: IfMatch, actor: Principal) -> None:
        """Takes the role from everybody who has it. Raises ``RoleNotFound`` or ``BeyondOwnRights``."""
        role = await self.require_locked(role_id, if_match.versions)
        codes = await self.repository.permissions_of([role_id])
        check_granted(actor, codes)
        await self.users.touch_holders(role_id)
        await self._audit("role.deleted", role, codes)
        await self.unit.session.delete(role)
        await self.unit.session.flush()
        await self.events.publish(self.unit, RoleDeleted(aggregate_id=role.id, aggregate_version=role.version + 1))

    async def assign(self, user_id: UUID, names: Sequence[str], if_match: IfMatch, actor: Principal) -> UserRead:
        """Gives a user exactly these roles.

        Raises ``UserNotFound``, ``OwnAccess``, ``BeyondOwnRights``, ``PreconditionFailed`` or ``ValidationFailed``.
        """
        roles = await self.repository.by_names(names)  # locked before the user, as a change of a role does it
        user = await self.users.lock(user_id)
        if user is None:
            raise UserNotFound
        if_match.check(user.version)
        if user.id == actor.user_id:
            raise OwnAccess
        await check_reach(actor, user, self.users)
        _refuse_unknown("/roles", names, {role.name for role in roles}, FieldCode.NOT_FOUND, "There is no such role.")
        check_granted(actor, await self.repository.permissions_of([role.id for role in roles]))
        wanted = sorted(role.name for role in roles)
        if wanted != await self.users.role_names(user_id):
            await self.users.replace_roles(user_id, [role.id for role in roles])
            user.updated_at = utc_now()
            await self.users.flush()
            await self.events.publish(self.unit, UserUpdated(aggregate_id=user_id, aggregate_version=user.version))
            await audit.record(self.unit, "user.roles_set", self.origin, subject_id=user_id, roles=wanted)
        return to_read(user, wanted)

    def _known(self, codes: Collection[str]) -> frozenset[str]:
        detail = "There is no such permission."
        _refuse_unknown("/permissions", list(codes), self.registry, FieldCode.INVALID_CHOICE, detail)
        return frozenset(codes)

    async def _flush(self) -> None:
        try:
            await self.repository.flush()
        except IntegrityError as exc:
            if "name" in violated_columns(exc):
                raise RoleNameTaken from exc
            raise

    async def _audit(self, kind: str, role: Role, codes: frozenset[str]) -> None:
        details = {"name": role.name, "permissions": sorted(codes)}
        await audit.record(self.unit, kind, self.origin, subject_id=role.id, **details)


def _refuse_unknown(pointer: str, given: Sequence[str], known: Collection[str], code: FieldCode, detail: str) -> None:
    errors = [
        FieldError(pointer=f"{pointer}/{i}", code=code, detail=detail)
        for i, name in enumerate(given)
        if name not in known
    ]
    if errors:
        raise ValidationFailed(errors)


def _to_read(role: Role, codes: frozenset[str]) -> RoleRead:
    return project(RoleRead, role, permissions=sorted(codes))

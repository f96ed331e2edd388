from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from app.domain.accounts.dtos import OwnUserUpdate, Registration, UserCreate, UserRead, UserUpdate
from app.domain.accounts.errors import OwnAccess, UserNotFound
from app.domain.accounts.events import (
    UserDeactivated,
    UserDeleted,
    UserRegistered,
    UserUpdated,
)
from app.domain.accounts.models import Profile, User
from app.domain.accounts.repositories import ProfileRepository, UserRepository
from app.domain.accounts.services.access import (
    check_flags,
    check_makes_superusers,
    check_not_last,
    check_reach,
    check_recent,
)
from app.domain.accounts.services.identity import (
    parse_email,
    set_email,
    set_name,
    set_username,
    taken,
)
from app.domain.accounts.services.passwords import Passwords
from app.domain.accounts.services.patching import FLAGS, SHOWN_IN_PROFILE, assign, set_flags
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.service import EntityService
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.events import Events
from app.lib.security.emails import EmailAddress
from app.lib.security.principal import Principal
from app.lib.wire.dto import project, provided


class UserService(EntityService[User, UserRepository]):
    """Accounts: how they come, change and go."""

    repository_type = UserRepository
    not_found = UserNotFound

    def __init__(self, unit: UnitOfWork, passwords: Passwords, events: Events, origin: Origin) -> None:
        super().__init__(unit)
        self.passwords = passwords
        self.events = events
        self.origin = origin
        self.profiles = ProfileRepository(session=unit.session)

    async def register(self, data: Registration, locale: str) -> UserRead:
        """An account for whoever asks; they are mailed in the language of ``locale``.

        Raises ``ValidationFailed``, ``EmailTaken`` or ``UsernameTaken``.
        """
        user = await self._create(data, locale=locale)
        await self.events.publish(self.unit, UserRegistered(aggregate_id=user.id, aggregate_version=user.version))
        await self._audit("user.registered", user)
        return to_read(user, [])

    async def create_for(self, data: UserCreate, actor: Principal | None) -> UserRead:
        """An account made by an administrator, or by an operator at the command line (``actor`` None)."""
        if data.is_superuser and actor is not None:
            check_makes_superusers(actor)
            check_recent(actor)
        flags = {"is_verified": data.is_verified, "is_superuser": data.is_superuser}
        user = await self._create(data, locale=data.locale, **flags)
        await self.events.publish(
            self.unit, UserRegistered(aggregate_id=user.id, aggregate_version=user.version, by_administrator=True)
        )
        await self._audit("user.created", user, **flags)
        return to_read(user, [])

    async def update_own(self, user_id: UUID, data: OwnUserUpdate, if_match: IfMatch) -> UserRead:
        """A person changes what is theirs to change. Raises ``UsernameTaken`` or ``PreconditionFailed``."""
        user = await self.require_locked(user_id, if_match.versions)
        await self._apply(user, provided(data), None)
        return await self._read(user)

    async def update_for(self, user_id: UUID, data: UserUpdate, if_match: IfMatch, actor: Principal) -> UserRead:
        """An administrator changes an account.

        Raises ``OwnAccess``, ``BeyondOwnRights``, ``LastSuperuser``, ``ReauthRequired``, ``EmailTaken``,
        ``UsernameTaken`` or ``PreconditionFailed``.
        """
        email = parse_email(data.email) if isinstance(data.email, str) else None
        superusers = await self.repository.lock_with_superusers(user_id) if data.is_superuser is False else ()
        user = await self.require_locked(user_id, if_match.versions)
        await check_reach(actor, user, self.repository)
        flags = set_flags(user, data, email)
        check_flags(actor, user, flags)
        if flags or (email and email.address != user.email):
            check_recent(actor)
        if flags.get("is_superuser") is False:
            check_not_last(user, superusers)
        await self._apply(user, provided(data), email)
        return await self._read(user)

    async def promote(self, user_id: UUID) -> UserRead:
        """Makes a superuser, on the word of an operator at the command line. Raises ``UserNotFound``."""
        user = await self.require_locked(user_id)
        if not user.is_superuser:
            user.is_superuser = True
            await self.repository.flush()
            await self.events.publish(self.unit, UserUpdated(aggregate_id=user.id, aggregate_version=user.version))
            await self._audit("user.updated", user, fields=["is_superuser"], is_superuser=True)
        return await self._read(user)

    async def activate(self, user_id: UUID, if_match: IfMatch, actor: Principal) -> UserRead:
        """Raises ``OwnAccess``, ``BeyondOwnRights`` or ``PreconditionFailed``."""
        user = await self._require_other(user_id, if_match, actor)
        if not user.is_active:
            user.is_active = True
            await self.repository.flush()
            await self.events.publish(self.unit, UserUpdated(aggregate_id=user.id, aggregate_version=user.version))
            await self._audit("user.activated", user)
        return await self._read(user)

    async def deactivate(self, user_id: UUID, if_match: IfMatch, actor: Principal) -> UserRead:
        """Ends the user's sessions, too.

        Raises ``OwnAccess``, ``BeyondOwnRights``, ``LastSuperuser`` or ``PreconditionFailed``.
        """
        superusers = await self.repository.lock_with_superusers(user_id)
        user = await self._require_other(user_id, if_match, actor)
        if user.is_active:
            check_not_last(user, superusers)
            user.is_active = False
            await self.repository.flush()
            await self.events.publish(self.unit, UserDeactivated(aggregate_id=user.id, aggregate_version=user.version))
            await self.events.publish(self.unit, UserUpdated(aggregate_id=user.id, aggregate_version=user.version))
            await self._audit("user.deactivated", user)
        return await self._read(user)

    async def remove(self, user_id: UUID, if_match: IfMatch, actor: Principal) -> None:
        """Deletes an account and what belongs to it.

        Raises ``BeyondOwnRights``, ``LastSuperuser`` or ``PreconditionFailed``.
        """
        superusers = await self.repository.lock_with_superusers(user_id)
        user = await self.require_locked(user_id, if_match.versions)
        await check_reach(actor, user, self.repository)
        check_not_last(user, superusers)
        await self.events.publish(self.unit, UserDeleted(aggregate_id=user.id, aggregate_version=user.version + 1))
        await self._audit("user.deleted", user)
        await self.unit.session.delete(user)
        await self.unit.session.flush()

    async def _require_other(self, user_id: UUID, if_match: IfMatch, actor: Principal) -> User:
        user = await self.require_locked(user_id, if_match.versions)
        if user.id == actor.user_id:
            raise OwnAccess
        await check_reach(actor, user, self.repository)
        return user

    async def _create(self, data: Registration, **values: object) -> User:
        user = User(**values)
        user.password_hash = await self.passwords.accept(
            data.password,
            pointer="/password",
            email=data.email,
            name=data.name,
            username=data.username,
        )
        set_email(user, parse_email(data.email))
        set_username(user, data.username)
        set_name(user, data.name)
        try:
            # A savepoint, so that a taken address leaves the transaction usable.
            async with self.unit.session.begin_nested():
                await self.repository.insert(user)
                await self.profiles.insert(Profile(user_id=user.id))
        except IntegrityError as exc:
            raise taken(exc) or exc from exc
        return user

    async def _apply(self, user: User, patch: Mapping[str, Any], email: EmailAddress | None) -> None:
        changed = assign(user, patch, email)
        if not changed:
            return
        try:
            await self.repository.flush()
        except IntegrityError as exc:
            raise taken(exc) or exc from exc
        if changed & SHOWN_IN_PROFILE:
            await self.profiles.touch(user.id)
        flags = {name: getattr(user, name) for name in sorted(changed & FLAGS)}
        await self.events.publish(self.unit, UserUpdated(aggregate_id=user.id, aggregate_version=user.version))
        await self._audit("user.updated", user, fields=sorted(changed), **flags)

    async def _read(self, user: User) -> UserRead:
        return to_read(user, await self.repository.role_names(user.id))

    async def _audit(self, kind: str, user: User, **details: Any) -> None:
        await audit.record(self.unit, kind, self.origin, subject_id=user.id, **details)


def to_read(user: User, roles: list[str]) -> UserRead:
    """An account as it is shown, from the entity just written."""
    return project(UserRead, user, roles=roles)

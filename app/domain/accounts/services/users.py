from uuid import UUID

import msgspec
from sqlalchemy.exc import IntegrityError

from app.domain.accounts.dtos import OwnUserUpdate, Registration, UserCreate, UserRead, UserUpdate
from app.domain.accounts.errors import OwnAccess, UserNotFound
from app.domain.accounts.events import AccessChanged, UserDeactivated, UserDeleted, UserRegistered
from app.domain.accounts.models import Profile, User
from app.domain.accounts.repositories import ProfileRepository, UserRepository
from app.domain.accounts.services.access import check_not_last_superuser, check_reach
from app.domain.accounts.services.identity import parse_email, set_email, set_name, set_username, taken
from app.domain.accounts.services.passwords import Passwords
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.service import EntityService
from app.lib.db.uow import UnitOfWork
from app.lib.dto import changes
from app.lib.errors import PermissionDenied, ReauthRequired
from app.lib.events import Events
from app.lib.security.emails import EmailAddress
from app.lib.security.principal import Principal
from app.lib.versions import IfMatch

_FLAGS = {"is_verified", "is_superuser"}


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

    async def register(self, data: Registration) -> UserRead:
        """An account for whoever asks. Raises ``ValidationFailed``, ``EmailTaken`` or ``UsernameTaken``."""
        email = parse_email(data.email)
        user = await self._create(data, email, is_active=True)
        await audit.record(self.unit.session, "user.registered", self.origin, subject_id=user.id)
        return to_read(user, [])

    async def create_for(self, data: UserCreate, actor: Principal | None) -> UserRead:
        """An account made by an administrator, or by an operator at the command line (``actor`` None)."""
        if data.is_superuser and actor is not None and not actor.is_superuser:
            raise PermissionDenied("Only a superuser makes superusers.")
        email = parse_email(data.email)
        user = await self._create(
            data,
            email,
            is_active=True,
            is_verified=data.is_verified,
            is_superuser=data.is_superuser,
            locale=data.locale,
        )
        flags = {"is_verified": data.is_verified, "is_superuser": data.is_superuser}
        await audit.record(self.unit.session, "user.created", self.origin, subject_id=user.id, **flags)
        return to_read(user, [])

    async def update_own(self, user_id: UUID, data: OwnUserUpdate, if_match: IfMatch) -> UserRead:
        """A person changes what is theirs to change. Raises ``UsernameTaken`` or ``PreconditionFailed``."""
        user = await self.require_locked(user_id, if_match.versions)
        await self._apply(user, data)
        return to_read(user, await self.repository.role_names(user_id))

    async def update_for(self, user_id: UUID, data: UserUpdate, if_match: IfMatch, actor: Principal) -> UserRead:
        """An administrator changes an account.

        Raises ``OwnAccess``, ``BeyondOwnRights``, ``LastSuperuser``, ``ReauthRequired``, ``EmailTaken``,
        ``UsernameTaken`` or ``PreconditionFailed``.
        """
        demotes = data.is_superuser is False
        if demotes:
            await self.repository.lock_superusers()
        user = await self.require_locked(user_id, if_match.versions)
        await check_reach(actor, user, self.repository)
        flags = {name for name, value in changes(data).items() if name in _FLAGS and getattr(user, name) != value}
        self._check_flags(actor, user, flags)
        if (flags or data.email is not msgspec.UNSET) and not actor.signed_in_recently:
            raise ReauthRequired
        if demotes and "is_superuser" in flags:
            await check_not_last_superuser(user, self.repository)
        await self._apply(user, data)
        if "is_superuser" in flags:
            await self.events.publish(AccessChanged(user.id), self.unit)
        return to_read(user, await self.repository.role_names(user_id))

    async def activate(self, user_id: UUID, actor: Principal) -> UserRead:
        return await self._set_active(user_id, actor, active=True)

    async def deactivate(self, user_id: UUID, actor: Principal) -> UserRead:
        """Ends the user's sessions, too. Raises ``OwnAccess``, ``BeyondOwnRights`` or ``LastSuperuser``."""
        return await self._set_active(user_id, actor, active=False)

    async def remove(self, user_id: UUID, actor: Principal, if_match: IfMatch) -> None:
        """Deletes an account and what belongs to it. Raises ``BeyondOwnRights`` or ``LastSuperuser``."""
        await self.repository.lock_superusers()
        user = await self.require_locked(user_id, if_match.versions)
        await check_reach(actor, user, self.repository)
        await check_not_last_superuser(user, self.repository)
        await self.events.publish(UserDeleted(user_id), self.unit)
        await audit.record(self.unit.session, "user.deleted", self.origin, subject_id=user_id)
        await self.unit.session.delete(user)
        await self.unit.session.flush()

    async def _create(self, data: Registration, email: EmailAddress, **values: object) -> User:
        user = User(**values)
        user.password_hash = await self.passwords.accept(
            data.password, pointer="/password", email=email.address, name=data.name, username=data.username
        )
        set_email(user, email)
        set_username(user, data.username)
        set_name(user, data.name)
        try:
            # A savepoint, so that a taken address leaves the transaction usable.
            async with self.unit.session.begin_nested():
                await self.repository.insert(user)
                await self.profiles.insert(Profile(user_id=user.id))
        except IntegrityError as exc:
            raise taken(exc) or exc from exc
        await self.events.publish(UserRegistered(user.id), self.unit)
        return user

    async def _apply(self, user: User, data: OwnUserUpdate) -> None:
        before = user.version
        names = _assign(user, data)
        try:
            await self.repository.flush()
        except IntegrityError as exc:
            raise taken(exc) or exc from exc
        if user.version == before:
            return
        if names & {"name", "email"}:
            await self.profiles.touch(user.id)
        fields = sorted(names)
        await audit.record(self.unit.session, "user.updated", self.origin, subject_id=user.id, fields=fields)

    def _check_flags(self, actor: Principal, user: User, flags: set[str]) -> None:
        if flags and actor.user_id == user.id:
            raise OwnAccess
        if "is_superuser" in flags and not actor.is_superuser:
            raise PermissionDenied("Only a superuser makes or unmakes superusers.")

    async def _set_active(self, user_id: UUID, actor: Principal, *, active: bool) -> UserRead:
        await self.repository.lock_superusers()
        user = await self.require_locked(user_id)
        if user.id == actor.user_id:
            raise OwnAccess
        await check_reach(actor, user, self.repository)
        if user.is_active != active:
            if not active:
                await check_not_last_superuser(user, self.repository)
            user.is_active = active
            await self.repository.flush()
            if not active:
                await self.events.publish(UserDeactivated(user_id), self.unit)
            kind = "user.activated" if active else "user.deactivated"
            await audit.record(self.unit.session, kind, self.origin, subject_id=user_id)
        return to_read(user, await self.repository.role_names(user_id))


def _assign(user: User, data: OwnUserUpdate) -> set[str]:
    """Writes the present members into the user; returns their names."""
    present = changes(data)
    if "email" in present:
        email = parse_email(present["email"])
        if email.key != user.email_key:
            user.is_verified = False  # it was the old address that had been verified
        set_email(user, email)
    if "username" in present:
        set_username(user, present["username"])
    if "name" in present:
        set_name(user, present["name"])
    for name in ("locale", *_FLAGS):
        if name in present:
            setattr(user, name, present[name])
    return set(present)


def to_read(user: User, roles: list[str]) -> UserRead:
    """An account as it is shown, from the entity just written."""
    return UserRead(
        id=user.id,
        email=user.email,
        username=user.username,
        name=user.name,
        locale=user.locale,
        is_active=user.is_active,
        is_verified=user.is_verified,
        is_superuser=user.is_superuser,
        roles=roles,
        created_at=user.created_at,
        updated_at=user.updated_at,
        version=user.version,
    )

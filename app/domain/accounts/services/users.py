from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.accounts.dtos import (
    OwnUserUpdate,
    ProfileRead,
    ProfileUpdate,
    Registration,
    ServiceAccountCreate,
    UserCreate,
    UserRead,
    UserUpdate,
    WholeProfile,
)
from app.domain.accounts.errors import (
    FixedServiceAccount,
    OwnAccess,
    ProfileNotFound,
    TooManyServiceAccounts,
    UsernameTaken,
    UserNotFound,
)
from app.domain.accounts.events import (
    AddressReplaced,
    PasswordChanged,
    ProfileUpdated,
    UserDeactivated,
    UserDeleted,
    UserRegistered,
    UserUpdated,
)
from app.domain.accounts.models import Profile, User
from app.domain.accounts.repositories.people import TOUCH_PROFILE, ProfileRepository
from app.domain.accounts.repositories.users import UserRepository
from app.domain.accounts.reserved_usernames import ReservedUsernames
from app.domain.accounts.rows import CredentialRow, HoldRow
from app.domain.accounts.services.access import check_makes_superusers, check_not_last, check_reach
from app.domain.accounts.services.erase import EraseUser, erase_batch, erase_user
from app.domain.accounts.services.identity import checked_email_key, has_email, with_keys
from app.domain.accounts.services.passwords import Passwords
from app.domain.accounts.services.queries import AccountQueries, profile_for
from app.domain.accounts.settings import AccountSettings
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.repositories import ANY_VERSION
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.events import Events
from app.lib.jobs import enqueue
from app.lib.security.passwords import no_password
from app.lib.security.policies import check_recent
from app.lib.security.principal import Principal
from app.lib.text import casefold_key
from app.lib.wire.dto import project, provided
from app.lib.wire.metadata import merge_metadata

MAX_SERVICE_ACCOUNTS = 500
"""All together, because they belong to no one."""
_FLAGS = frozenset({"is_verified", "is_superuser"})
_OF_SERVICE_ACCOUNTS = frozenset({"name", "locale", "metadata"})
_SHOWN_IN_PROFILE = frozenset({"email", "username", "name"})


@dataclass
class UserService:
    """Creates, updates and deletes users with their profiles."""

    unit: UnitOfWork
    accounts: AccountQueries
    passwords: Passwords
    settings: AccountSettings
    reserved: ReservedUsernames
    events: Events
    origin: Origin
    _users: UserRepository
    _profiles: ProfileRepository

    async def register(
        self, data: Registration, locale: str, *, kept_for: UUID | None = None, kept_until: datetime | None = None
    ) -> UserRead:
        """Creates a user for the caller, who gets mail in the language of ``locale``.

        An address that is ``kept_for`` another user is taken. The insertion fails by the id of that user then, so that
        it takes the same time as one with an address that a user has. The username is theirs until ``kept_until``,
        unless the address is confirmed by then.
        Raises ``ValidationFailed``, ``EmailTaken`` or ``UsernameTaken``.
        """
        values: dict[str, Any] = {"id": kept_for} if kept_for else {}
        user = await self._create_with_password(data, kept_until=kept_until, locale=locale, **values)
        await self.events.publish(self.unit, UserRegistered(aggregate_id=user.id, aggregate_version=user.version))
        await self._audit("user.registered", user)
        return await self._read(user) if self.settings.default_role else to_read(user, [])

    async def register_confirmed(self, email: str, name: str | None, locale: str) -> CredentialRow:
        """Creates a user without a password, whose address another system has confirmed. They can set a password by a
        mailed link. Raises ``EmailTaken``.
        """
        names = {"email": email, "username": None, "name": name}
        user = await self._create(names, no_password(), locale=locale, is_verified=True)
        await self.events.publish(self.unit, UserRegistered(aggregate_id=user.id, aggregate_version=user.version))
        await self._audit("user.registered", user)
        return project(CredentialRow, user)

    async def keep_username(self, username: str, user_id: UUID, kept_until: datetime) -> None:
        """No one else can have the username until then. Raises ``UsernameTaken``."""
        await self._hold(casefold_key(username), user_id, kept_until)

    async def release_username(self, hold: HoldRow, *, keeps_own: bool) -> None:
        """Makes a username free that was kept for a time. A user who has it in the meantime keeps it if their address
        is confirmed, or if it ``keeps_own``.
        """
        try:
            user = await self._users.get_for_update(hold.user_id)
        except UserNotFound:  # and being erased
            user = None
        if user is None or user.username_key != hold.username_key:
            await self._users.release_username(hold.username_key, hold.user_id)
        elif user.is_verified or keeps_own:
            await self._users.hold_username(hold.username_key, user.id)
        else:
            await self._update(user, {"username": None})

    async def create(self, data: UserCreate, actor: Principal | None) -> UserRead:
        """Creates a user for another person. ``actor`` is None at the command line.

        Raises ``PermissionDenied``, ``ValidationFailed``, ``EmailTaken`` or ``UsernameTaken``.
        """
        if data.is_superuser and actor is not None:
            check_makes_superusers(actor)
        flags = {"is_verified": data.is_verified, "is_superuser": data.is_superuser}
        user = await self._create_with_password(data, locale=data.locale, metadata_=data.metadata, **flags)
        await self.events.publish(
            self.unit, UserRegistered(aggregate_id=user.id, aggregate_version=user.version, by_administrator=True)
        )
        await self._audit("user.created", user, **flags)
        return to_read(user, [])

    async def create_service_account(self, data: ServiceAccountCreate) -> UserRead:
        """Creates a user for programs, which act as it by API keys: without a password, and without an address that
        mail could reach (RFC 6761). Raises ``TooManyServiceAccounts``.
        """
        if await self._users.count_service_accounts() >= MAX_SERVICE_ACCOUNTS:
            raise TooManyServiceAccounts(MAX_SERVICE_ACCOUNTS)
        user_id = new_id()
        names = {"email": f"{user_id}@service.invalid", "username": None, "name": data.name}
        user = await self._create(names, no_password(), id=user_id, is_service=True)
        await self._audit("service_account.created", user)
        return to_read(user, [])

    async def update_own(self, user_id: UUID, data: OwnUserUpdate, if_match: IfMatch) -> UserRead:
        """Updates what users may change of themselves. Raises ``UsernameTaken`` or ``PreconditionFailed``."""
        user = await self._users.get_for_update(user_id, if_match)
        await self._update(user, provided(data))
        return await self._read(user)

    async def update_profile(
        self, user_id: UUID, data: WholeProfile | ProfileUpdate, if_match: IfMatch, actor: Principal
    ) -> ProfileRead:
        """One's own, or that of another user, which is audited.

        Raises ``UserNotFound``, ``ProfileNotFound``, ``BeyondOwnRights`` or ``PreconditionFailed``.
        """
        is_own = actor.user_id == user_id
        if not is_own:
            await check_reach(actor, await self._users.get_for_update(user_id), self._users)
        profile = await self._profiles.get_for_update(user_id, if_match, by=Profile.user_id)
        if await self._profiles.update(profile, data):
            await self.events.publish(self.unit, ProfileUpdated(user_id=user_id))
            if not is_own:
                await audit.record(self.unit, "profile.updated", self.origin, subject_id=user_id)
        if (updated := await self.unit.first(profile_for(user_id, actor), user_id=user_id)) is None:
            raise ProfileNotFound
        return updated

    async def update(self, user_id: UUID, data: UserUpdate, if_match: IfMatch, actor: Principal) -> UserRead:
        """Updates another user. It is an address that is verified, so a new one is not, unless the request says so.
        Actors change their own by confirming the new one.

        Raises ``OwnAccess``, ``BeyondOwnRights``, ``FixedServiceAccount``, ``LastSuperuser``, ``ReauthRequired``,
        ``EmailTaken``, ``UsernameTaken`` or ``PreconditionFailed``.
        """
        values = provided(data)
        key = checked_email_key(values["email"]) if "email" in values else None
        has_others = data.is_superuser is not False or await self._users.lock_superusers(user_id)
        user = await self._users.get_for_update(user_id, if_match)
        await check_reach(actor, user, self._users)
        if user.is_service and not values.keys() <= _OF_SERVICE_ACCOUNTS:
            raise FixedServiceAccount
        if "metadata" in values:
            values["metadata_"] = merge_metadata(user.metadata_, values.pop("metadata"))
        is_same_address = key is None or key == user.email_key
        unchanged = {"is_verified": user.is_verified and is_same_address, "is_superuser": user.is_superuser}
        flags = {name: values[name] for name, value in unchanged.items() if values.get(name, value) != value}
        is_other_spelling = values.get("email", user.email) != user.email
        if (flags or is_other_spelling) and actor.user_id == user.id:
            raise OwnAccess
        if "is_superuser" in flags:
            check_makes_superusers(actor)
        if flags or is_other_spelling:
            check_recent(actor)
        if flags.get("is_superuser") is False:
            check_not_last(user, has_others=has_others)
        former, was_verified = user.email, user.is_verified
        await self._update(user, unchanged | values)
        if not is_same_address:
            replaced = AddressReplaced(user_id=user.id, former=former, was_confirmed=was_verified)
            await self.events.publish(self.unit, replaced)
        return await self._read(user)

    async def verify_email(self, user_id: UUID, email: str) -> bool:
        """Records that the address is the user's. False when that was known. Raises ``UserNotFound``, also for a user
        who has another address by now.
        """
        user = await self._users.get_for_update(user_id, ANY_VERSION, has_email(email))
        was_verified = user.is_verified
        await self._update(user, {"is_verified": True}, kind="email.verified")
        return not was_verified

    async def change_email(self, current: CredentialRow, email: str, *, kind: str = "email.changed") -> None:
        """Gives a user another address, which they have shown to be theirs. ``kind`` is that of the audit log.

        Raises ``EmailTaken``, or ``UserNotFound`` when ``current`` is out of date.
        """
        user = await self._users.get_for_update(current.id, ANY_VERSION, has_email(current.email))
        await self._update(user, {"email": email, "is_verified": True}, kind=kind)

    async def promote(self, user_id: UUID) -> UserRead:
        """Makes a user a superuser, at the command line. Raises ``UserNotFound``."""
        user = await self._users.get_for_update(user_id)
        if await self._users.update(user, {"is_superuser": True}):
            await self._publish_update(user, "user.updated", fields=["is_superuser"], is_superuser=True)
        return await self._read(user)

    async def set_password(self, user_id: UUID, password: str, if_match: IfMatch, actor: Principal) -> UserRead:
        """Sets a password that the user has to change when they sign in, and ends their sessions and keys.

        Raises ``UserNotFound``, also for a service account, ``ValidationFailed`` for a weak password, ``OwnAccess``,
        ``BeyondOwnRights`` or ``PreconditionFailed``.
        """
        owner = await self.accounts.get_credentials(user_id, UserNotFound)
        new_hash = await self.passwords.accept(password, owner)
        user = await self._get_other_for_update(user_id, if_match, actor)
        await self._users.update(user, {"password_hash": new_hash, "must_change_password": True})
        changed = PasswordChanged(aggregate_id=user.id, aggregate_version=user.version, is_recovery=True)
        await self.events.publish(self.unit, changed)
        await self._audit("password.set", user)
        return await self._read(user)

    async def activate(self, user_id: UUID, if_match: IfMatch, actor: Principal) -> UserRead:
        """Raises ``OwnAccess``, ``BeyondOwnRights`` or ``PreconditionFailed``."""
        user = await self._get_other_for_update(user_id, if_match, actor)
        if await self._users.update(user, {"is_active": True}):
            await self._publish_update(user, "user.activated")
        return await self._read(user)

    async def deactivate(self, user_id: UUID, if_match: IfMatch, actor: Principal) -> UserRead:
        """Ends the user's sessions, too.

        Raises ``OwnAccess``, ``BeyondOwnRights``, ``LastSuperuser`` or ``PreconditionFailed``.
        """
        has_others = await self._users.lock_superusers(user_id)
        user = await self._get_other_for_update(user_id, if_match, actor)
        check_not_last(user, has_others=has_others)
        if await self._users.update(user, {"is_active": False}):
            await self.events.publish(self.unit, UserDeactivated(aggregate_id=user.id, aggregate_version=user.version))
            await self._publish_update(user, "user.deactivated")
        return await self._read(user)

    async def delete(self, user_id: UUID, if_match: IfMatch, actor: Principal) -> None:
        """Deletes a user and what belongs to them: at once, or where there is much, in batches by a job.

        Raises ``BeyondOwnRights``, ``LastSuperuser`` or ``PreconditionFailed``.
        """
        has_others = await self._users.lock_superusers(user_id)
        user = await self._users.get_for_update(user_id, if_match)
        await check_reach(actor, user, self._users)
        check_not_last(user, has_others=has_others)
        await self.events.publish(self.unit, UserDeleted(aggregate_id=user.id, aggregate_version=user.version + 1))
        await self._audit("user.deleted", user)
        if await erase_batch(self.unit, self.events, user.id):
            await self._users.delete(user)
            return
        await self.events.publish(self.unit, UserDeactivated(aggregate_id=user.id, aggregate_version=user.version + 1))
        await self._users.mark_deleted(user)
        await enqueue(self.unit, erase_user, EraseUser(user.id))

    async def _get_other_for_update(self, user_id: UUID, if_match: IfMatch, actor: Principal) -> User:
        user = await self._users.get_for_update(user_id, if_match)
        if user.id == actor.user_id:
            raise OwnAccess
        await check_reach(actor, user, self._users)
        return user

    async def _create_with_password(self, data: Registration, **values: Any) -> User:
        password_hash = await self.passwords.accept(data.password, data)
        names = {"email": data.email, "username": data.username, "name": data.name}
        return await self._create(names, password_hash, **values)

    async def _create(
        self, names: Mapping[str, Any], password_hash: str, *, kept_until: datetime | None = None, **values: Any
    ) -> User:
        user = await self._users.create(with_keys({**names, **values, "password_hash": password_hash}))
        if user.username_key:
            await self._hold(user.username_key, user.id, kept_until)
        await self._profiles.create_empty(user.id)
        return user

    async def _update(self, user: User, values: Mapping[str, Any], *, kind: str = "user.updated") -> None:
        names = {"email": user.email, "username": user.username, "name": user.name}
        before = {name: getattr(user, name) for name in values}
        former_key = user.username_key
        if not await self._users.update(user, with_keys({**names, **values})):
            return
        if user.username_key != former_key:
            await self._move_hold(user, former_key)
        changed = {name for name, value in before.items() if getattr(user, name) != value}
        if changed & _SHOWN_IN_PROFILE:
            await self.unit.execute(TOUCH_PROFILE, user_id=user.id, now=utc_now())
        flags = {name: getattr(user, name) for name in sorted(changed & _FLAGS)}
        await self._publish_update(user, kind, fields=sorted(each.rstrip("_") for each in changed), **flags)

    async def _hold(self, username_key: str, user_id: UUID, kept_until: datetime | None = None) -> None:
        if username_key in self.reserved:
            raise UsernameTaken
        await self._users.hold_username(username_key, user_id, kept_until)

    async def _move_hold(self, user: User, former_key: str | None) -> None:
        if user.username_key:
            await self._hold(user.username_key, user.id)
        if former_key:
            await self._users.release_username(former_key, user.id)

    async def _publish_update(self, user: User, kind: str, **details: Any) -> None:
        await self.events.publish(self.unit, UserUpdated(aggregate_id=user.id, aggregate_version=user.version))
        await self._audit(kind, user, **details)

    async def _read(self, user: User) -> UserRead:
        return to_read(user, await self._users.role_names_of(user.id))

    async def _audit(self, kind: str, user: User, **details: Any) -> None:
        await audit.record(self.unit, kind, self.origin, subject_id=user.id, **details)


def to_read(user: User, roles: list[str]) -> UserRead:
    return project(UserRead, user, roles=roles, metadata=user.metadata_)

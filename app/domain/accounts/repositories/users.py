"""Users: prepared selects for the Reader, and the repository that writes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    String,
    Uuid,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from app.domain.accounts.dtos import (
    UserPage,
    UserRead,
)
from app.domain.accounts.errors import (
    EmailTaken,
    UsernameTaken,
    UserNotFound,
)
from app.domain.accounts.models import Profile, Role, RolePermission, User, UsernameHold, UserRole
from app.domain.accounts.rows import CredentialRow, HoldRow
from app.lib.clock import utc_now
from app.lib.db.base import table_of
from app.lib.db.prepared import PreparedIn, columns_of, joined_strings, prepare
from app.lib.db.repositories import ANY_VERSION, EntityRepository
from app.lib.db.statements import BATCH, delete_batch, insert_or_update
from app.lib.db.versions import IfMatch
from app.lib.pagination.filters import contains, custom, equals, times
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey
from app.lib.security.passwords import no_password

MAX_KEPT_USERNAMES = 10
"""That registrations with a user's address may reserve at a time, when the answers do not say that it is taken."""

role_names = joined_strings(User, Role.name, UserRole.role_id == Role.id, UserRole.user_id == User.id)
"""The names of a user's roles, as a column next to the user's own."""

_USER_ID = bindparam("user_id", type_=Uuid())
_ROLE_ID = bindparam("role_id", type_=Uuid())
_AFTER = bindparam("after", type_=Uuid())

_is_there = User.deleted_at.is_(None)
_users = select(*columns_of(UserRead, User, roles=role_names, metadata=User.metadata_)).where(_is_there)
# Not of service accounts: no one signs in as them, resets their password or is mailed a link for them.
_credentials = select(*columns_of(CredentialRow, User)).where(_is_there, User.is_service.is_(False))

USERS = PreparedIn(_users, User.id, UserRead)
CREDENTIALS_BY_EMAIL = prepare(_credentials.where(User.email_key == bindparam("key")), CredentialRow)
CREDENTIALS_BY_USERNAME = prepare(_credentials.where(User.username_key == bindparam("key")), CredentialRow)
_KEY = bindparam("key", type_=User.username_key.type)
_keepers = (
    select(UsernameHold.user_id)
    .where(UsernameHold.username_key == _KEY)
    .union(select(User.id).where(User.username_key == _KEY))
    .subquery()
)
USERNAME_KEEPER = prepare(select(_keepers.c.user_id), UUID)
"""Who has a username, or for whom it is kept."""
CREDENTIALS = prepare(_credentials.where(User.id == _USER_ID), CredentialRow)


USER_LIST = ListQuery(
    "users",
    UserPage,
    _users,
    identity=User.id,
    sorts=(
        SortKey("created_at", User.created_at, datetime),
        SortKey("updated_at", User.updated_at, datetime),
        SortKey("email", User.email_key, str),
        SortKey("name", User.name_key, str),
    ),
    default_sort="-created_at",
    filters=(
        custom(
            "role",
            String(),
            lambda names: exists().where(
                UserRole.user_id == User.id, UserRole.role_id == Role.id, Role.name.in_(names)
            ),
            repeatable=True,
        ),
        equals("is_active", User.is_active),
        equals("is_superuser", User.is_superuser),
        equals("is_service", User.is_service),
        contains("q", User.search_text),
        *times(User),
    ),
)

_is_active_superuser = and_(User.is_superuser, User.is_active)
# By OR, because the conditions are checked again after the wait for a lock; those of a subquery would not be.
_superusers_and_user = prepare(
    select(User.id).where(or_(_is_active_superuser, User.id == _USER_ID)).order_by(User.id).with_for_update(), UUID
)
_role_names_of_user = prepare(
    select(Role.name).join(UserRole, UserRole.role_id == Role.id).where(UserRole.user_id == _USER_ID), str
)
_permissions_of_user = prepare(
    select(RolePermission.code)
    .join(UserRole, UserRole.role_id == RolePermission.role_id)
    .where(UserRole.user_id == _USER_ID),
    str,
)
_delete_user_roles = prepare(delete(UserRole).where(UserRole.user_id == _USER_ID))
_insert_user_role = prepare(insert(UserRole))
GIVE_ROLE = prepare(
    insert(UserRole).from_select(
        ["user_id", "role_id"],
        select(_USER_ID, Role.id).where(Role.name == bindparam("name")).with_for_update(read=True),
    )
)
"""Gives a user the role of this name, if there is one."""
REHASH = prepare(
    update(User)
    .where(User.id == _USER_ID, User.password_hash == bindparam("old_hash"))
    .values(password_hash=bindparam("new_hash"), updated_at=User.updated_at)
)
"""Stores a new hash of the same password, which is no change of the user: the version and updated_at stay."""
_holders = (
    select(User.id)
    .join(UserRole, UserRole.user_id == User.id)
    .where(UserRole.role_id == _ROLE_ID, UserRole.user_id > _AFTER)
    .order_by(UserRole.user_id)
    .limit(BATCH)
    .with_for_update(of=User)
    .cte("holders")
)
_touch_holders = prepare(
    update(User)
    .where(User.id.in_(select(_holders.c.id)))
    .values(version=User.version + 1, updated_at=bindparam("now", type_=User.updated_at.type))
    .returning(User.id),
    UUID,
)
_take_role = prepare(
    delete(UserRole).where(
        UserRole.role_id == _ROLE_ID, UserRole.user_id > _AFTER, UserRole.user_id <= bindparam("last", type_=Uuid())
    )
)
_new_hold = insert_or_update(UsernameHold).from_select(
    ["username_key", "user_id", "kept_until"],
    # Locked, so that the user is not deleted at the same time.
    select(_KEY, User.id, bindparam("kept_until", type_=UsernameHold.kept_until.type))
    .where(User.id == _USER_ID)
    .with_for_update(read=True, key_share=True),
)
_hold_username = prepare(
    _new_hold.on_conflict_do_update(
        index_elements=[UsernameHold.username_key],
        set_={"kept_until": _new_hold.excluded.kept_until},
        where=UsernameHold.user_id == _new_hold.excluded.user_id,
    )
)
_release_username = prepare(
    delete(UsernameHold).where(UsernameHold.username_key == _KEY, UsernameHold.user_id == _USER_ID)
)
_until = UsernameHold.kept_until
_holds = select(*columns_of(HoldRow, UsernameHold)).where(_until.is_not(None)).order_by(_until.desc())
EXPIRED_HOLDS = prepare(_holds.where(_until < bindparam("now", type_=_until.type)).limit(100), HoldRow)
EXCESS_HOLDS = prepare(_holds.where(UsernameHold.user_id == _USER_ID).offset(MAX_KEPT_USERNAMES), HoldRow)
_count_service_accounts = prepare(select(func.count()).select_from(User).where(User.is_service), int)
_first_service_account = select(User.id).where(User.is_service).order_by(User.id).limit(1)
_lock_service_account = prepare(_first_service_account.with_for_update(key_share=True), UUID)
_release_usernames = prepare(delete_batch(table_of(UsernameHold), UsernameHold.user_id == _USER_ID, all_of_them=True))
_delete_erased = prepare(delete(User).where(User.id == _USER_ID, User.deleted_at.is_not(None)))
ERASING = prepare(select(User.id).where(User.deleted_at.is_not(None)).order_by(User.deleted_at).limit(100), UUID)
"""Deleted users whose data is still being deleted, the first ones first."""
_clear_profile = prepare(
    update(Profile)
    .where(Profile.user_id == _USER_ID)
    .values(dict.fromkeys(("first_name", "last_name", "bio", "avatar_url")) | {"updated_at": Profile.updated_at})
)


class UserRepository(EntityRepository[User]):
    model = User
    not_found = UserNotFound
    taken: ClassVar = {"id": EmailTaken, "email_key": EmailTaken, "username_key": UsernameTaken}

    async def get_for_update(
        self, item_id: Any, if_match: IfMatch = ANY_VERSION, *conditions: ColumnElement[bool], **options: Any
    ) -> User:
        """The user, locked. Raises ``UserNotFound``, also for one that is deleted, or ``PreconditionFailed``."""
        return await super().get_for_update(item_id, if_match, *conditions, _is_there, **options)

    async def mark_deleted(self, user: User) -> None:
        """Makes the user one that is not there. Address and usernames are free again."""
        nowhere = f"{user.id}@deleted.invalid"
        flags = dict.fromkeys(("is_active", "is_verified", "is_superuser"), False)
        names = {"email": nowhere, "email_key": nowhere, "username": None, "username_key": None}
        names |= {"name": None, "name_key": "", "search_text": "", "password_hash": no_password()}
        await self.update(user, {**flags, **names, "metadata_": {}, "deleted_at": utc_now()})
        await self.unit.execute(_release_usernames, user_id=user.id)
        await self.set_roles(user.id, ())
        await self.unit.execute(_clear_profile, user_id=user.id)

    async def delete_erased(self, user_id: UUID) -> None:
        """Deletes the row of a deleted user, to whom nothing belongs any more."""
        await self.unit.execute(_delete_erased, user_id=user_id)

    async def count_service_accounts(self) -> int:
        """Locks the first of them, so that two who count at once do not both find room."""
        await self.unit.first(_lock_service_account)
        return await self.unit.first(_count_service_accounts) or 0

    async def lock_superusers(self, user_id: UUID) -> bool:
        """Locks a user and the active superusers; whether one of these is another user.

        So two superusers cannot leave at the same time. All who lock several users do it in the order of their ids, so
        there is no deadlock.
        """
        return bool(set(await self.unit.all(_superusers_and_user, user_id=user_id)) - {user_id})

    async def hold_username(self, key: str, user_id: UUID, kept_until: datetime | None = None) -> None:
        """For good or a time. Waits for others who do the same. Raises ``UsernameTaken``."""
        if await self.unit.execute(_hold_username, key=key, user_id=user_id, kept_until=kept_until) != 1:
            raise UsernameTaken

    async def release_username(self, key: str, user_id: UUID) -> None:
        await self.unit.execute(_release_username, key=key, user_id=user_id)

    async def role_names_of(self, user_id: UUID) -> list[str]:
        return sorted(await self.unit.all(_role_names_of_user, user_id=user_id))

    async def permissions_of(self, user_id: UUID) -> frozenset[str]:
        return frozenset(await self.unit.all(_permissions_of_user, user_id=user_id))

    async def set_roles(self, user_id: UUID, role_ids: Iterable[UUID]) -> None:
        await self.unit.execute(_delete_user_roles, user_id=user_id)
        await self.unit.execute_many(_insert_user_role, [{"user_id": user_id, "role_id": each} for each in role_ids])

    async def touch_holders(self, role_id: UUID, after: UUID, *, is_deleted: bool) -> UUID | None:
        """Increments the version of users who have the role, because their roles read differently now, and takes it
        from them where it is deleted: a batch, in the order of their ids. Returns the last one, None at the end.
        """
        touched = await self.unit.all(_touch_holders, role_id=role_id, after=after, now=utc_now())
        last = max(touched) if len(touched) == BATCH else None
        if is_deleted:
            await self.unit.execute(_take_role, role_id=role_id, after=after, last=last or UUID(int=2**128 - 1))
        return last

"""Every statement about accounts. ``…Reads`` read without a transaction, ``…Repository`` write in one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import String, Uuid, and_, bindparam, delete, exists, insert, or_, select, update

from app.domain.accounts.dtos import RolePage, RoleRead, UserPage, UserRead
from app.domain.accounts.models import Profile, Role, RolePermission, User, UserRole
from app.domain.accounts.rows import CredentialRow, PersonRow
from app.lib.db.prepared import Prepared, columns_of, joined_strings, pad_to_power_of_two, prepare
from app.lib.db.reader import Reader
from app.lib.db.repository import Repository
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.filters import after, before, contains, custom, equals
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey
from app.lib.text import casefold_key

role_names = joined_strings(User, Role.name, UserRole.role_id == Role.id, UserRole.user_id == User.id)
"""The names of a user's roles, as a column beside the user's own."""

permission_codes = joined_strings(Role, RolePermission.code, RolePermission.role_id == Role.id)
"""The codes that a role gives, as a column beside the role's own."""

_users = select(*columns_of(UserRead, User, roles=role_names))
_roles = select(*columns_of(RoleRead, Role, permissions=permission_codes))
_everybody = select(*columns_of(PersonRow, Profile, email=User.email, username=User.username, name=User.name)).join(
    User, User.id == Profile.user_id
)
_people = _everybody.where(Profile.user_id == bindparam("user_id"))

_user_by_id = prepare(_users.where(User.id == bindparam("user_id")), UserRead)
_role_by_id = prepare(_roles.where(Role.id == bindparam("role_id")), RoleRead)
_person = prepare(_people, PersonRow)
_visible_person = prepare(_people.where(User.is_active), PersonRow)
_credentials = select(*columns_of(CredentialRow, User))
_by_email = prepare(_credentials.where(User.email_key == bindparam("key")), CredentialRow)
_by_username = prepare(_credentials.where(User.username_key == bindparam("key")), CredentialRow)
_by_id = prepare(_credentials.where(User.id == bindparam("user_id")), CredentialRow)


@lru_cache(16)
def _visible_people(width: int) -> Prepared[PersonRow]:
    wanted = [bindparam(f"user_{i}", type_=Uuid()) for i in range(width)]
    return prepare(_everybody.where(Profile.user_id.in_(wanted), User.is_active), PersonRow)


USER_SORTS = (
    SortKey("created_at", User.created_at, User.created_at.type.python_type),
    SortKey("email", User.email_key, str),
    SortKey("name", User.name_key, str),
)

USER_LIST = ListQuery(
    "users",
    UserPage,
    _users,
    identity=User.id,
    sorts=USER_SORTS,
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
        contains("q", User.search_text, fold=casefold_key),
        after("created_after", User.created_at),
        before("created_before", User.created_at),
    ),
)

ROLE_SORTS = (SortKey("name", Role.name, str),)

ROLE_LIST = ListQuery("roles", RolePage, _roles, identity=Role.id, sorts=ROLE_SORTS, default_sort="name")


class AccountReads:
    """Accounts, profiles and roles as they are shown."""

    def __init__(self, reader: Reader, cursors: CursorCodec) -> None:
        self._reader = reader
        self._cursors = cursors

    async def user(self, user_id: UUID) -> UserRead | None:
        return await self._reader.first(_user_by_id, user_id=user_id)

    async def users(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> UserPage:
        return await paginate(self._reader, USER_LIST, paging, self._cursors, sort=sort, filters=filters)

    async def person(self, user_id: UUID) -> PersonRow | None:
        return await self._reader.first(_person, user_id=user_id)

    async def visible_person(self, user_id: UUID) -> PersonRow | None:
        """Only of an active account."""
        return await self._reader.first(_visible_person, user_id=user_id)

    async def visible_people(self, user_ids: Iterable[UUID]) -> list[PersonRow]:
        """Of active accounts, in one query."""
        wanted = list(dict.fromkeys(user_ids))
        if not wanted:
            return []
        values = {f"user_{i}": each for i, each in enumerate(pad_to_power_of_two(wanted))}
        return await self._reader.all(_visible_people(len(values)), **values)

    async def role(self, role_id: UUID) -> RoleRead | None:
        return await self._reader.first(_role_by_id, role_id=role_id)

    async def roles(self, paging: PageRequest, sort: str | None) -> RolePage:
        return await paginate(self._reader, ROLE_LIST, paging, self._cursors, sort=sort)

    async def credentials(self, key: str) -> CredentialRow | None:
        """By the canonical form of an e-mail address or a username."""
        return await self._reader.first(_by_email if "@" in key else _by_username, key=key)

    async def credentials_of(self, user_id: UUID) -> CredentialRow | None:
        return await self._reader.first(_by_id, user_id=user_id)


class UserRepository(Repository[User]):
    model_type = User

    async def role_names(self, user_id: UUID) -> list[str]:
        rows = await self.session.execute(
            select(Role.name).join(UserRole, UserRole.role_id == Role.id).where(UserRole.user_id == user_id)
        )
        return sorted(rows.scalars())

    async def permissions_of(self, user_id: UUID) -> frozenset[str]:
        rows = await self.session.execute(
            select(RolePermission.code)
            .join(UserRole, UserRole.role_id == RolePermission.role_id)
            .where(UserRole.user_id == user_id)
        )
        return frozenset(rows.scalars())

    async def replace_roles(self, user_id: UUID, role_ids: Iterable[UUID]) -> None:
        await self.session.execute(delete(UserRole).where(UserRole.user_id == user_id))
        if rows := [{"user_id": user_id, "role_id": role_id} for role_id in role_ids]:
            await self.session.execute(insert(UserRole), rows)

    async def lock_with_superusers(self, user_id: UUID) -> Collection[UUID]:
        """Locks a user and the active superusers, and returns the ids of the latter.

        So two superusers cannot leave at the same time; and everybody who locks several users does it in the order
        of their ids, so that nobody waits in a circle.
        """
        is_active_superuser = and_(User.is_superuser, User.is_active)
        rows = await self.session.execute(
            select(User.id, is_active_superuser)
            .where(or_(is_active_superuser, User.id == user_id))
            .order_by(User.id)
            .with_for_update()
        )
        return [each for each, is_one in rows if is_one]

    async def set_password_hash(self, user_id: UUID, old_hash: str, new_hash: str) -> None:
        """Unless it was changed meanwhile. Not a change of the account, so its version stays."""
        await self.session.execute(
            update(User)
            .where(User.id == user_id, User.password_hash == old_hash)
            .values(password_hash=new_hash, updated_at=User.updated_at)
        )

    async def touch_holders(self, role_id: UUID) -> None:
        """Counts up the version of everybody who has the role, because their roles read differently now."""
        holders = (
            select(User.id)
            .join(UserRole, UserRole.user_id == User.id)
            .where(UserRole.role_id == role_id)
            .order_by(User.id)
            .with_for_update(of=User)
            .cte("holders")
        )
        await self.session.execute(
            update(User)
            .where(User.id.in_(select(holders.c.id)))
            .values(version=User.version + 1)
            .execution_options(synchronize_session=False)
        )


class ProfileRepository(Repository[Profile]):
    model_type = Profile

    async def of(self, user_id: UUID) -> Profile | None:
        """The profile, locked."""
        found = await self.session.execute(select(Profile).where(Profile.user_id == user_id).with_for_update())
        return found.scalar_one_or_none()

    async def person(self, user_id: UUID) -> PersonRow:
        """The profile as this transaction has it."""
        return PersonRow(*(await self.session.execute(_people, {"user_id": user_id})).one())

    async def touch(self, user_id: UUID) -> None:
        """Counts up the version: something of the account that the profile shows has changed."""
        await self.session.execute(
            update(Profile)
            .where(Profile.user_id == user_id)
            .values(version=Profile.version + 1)
            .execution_options(synchronize_session=False)
        )


class RoleRepository(Repository[Role]):
    model_type = Role

    async def by_names(self, names: Iterable[str]) -> Sequence[Role]:
        """Locked against deletion until the transaction ends."""
        found = await self.session.execute(
            select(Role).where(Role.name.in_(set(names))).order_by(Role.id).with_for_update(read=True)
        )
        return found.scalars().all()

    async def permissions_of(self, role_ids: Iterable[UUID]) -> frozenset[str]:
        found = await self.session.execute(
            select(RolePermission.code).where(RolePermission.role_id.in_(set(role_ids))).distinct()
        )
        return frozenset(found.scalars())

    async def replace_permissions(self, role_id: UUID, codes: Iterable[str]) -> None:
        await self.session.execute(delete(RolePermission).where(RolePermission.role_id == role_id))
        if rows := [{"role_id": role_id, "code": code} for code in codes]:
            await self.session.execute(insert(RolePermission), rows)

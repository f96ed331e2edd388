from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.domain.accounts.dtos import (
    PersonRead,
    ProfileRead,
    PublicProfile,
    PublicProfilePage,
    RolePage,
    RoleRead,
    UserPage,
    UserRead,
    UserWithProfile,
)
from app.domain.accounts.errors import AccountGone, ProfileNotFound, RoleNotFound, UserNotFound
from app.domain.accounts.repositories.people import OWN_PROFILE, PROFILE, PROFILE_LIST, PUBLIC_PROFILE, people_by_id
from app.domain.accounts.repositories.roles import ROLE, ROLE_ID, ROLE_LIST
from app.domain.accounts.repositories.users import (
    CREDENTIALS,
    CREDENTIALS_BY_EMAIL,
    CREDENTIALS_BY_USERNAME,
    USER_LIST,
    USERNAME_KEEPER,
    USERS,
)
from app.domain.accounts.rows import CredentialRow
from app.lib.db.prepared import Prepared
from app.lib.db.reader import Reader
from app.lib.errors import AppError
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal
from app.lib.wire.dto import project

USER_SORT = USER_LIST.sort_parameter()
ROLE_SORT = ROLE_LIST.sort_parameter()


@dataclass
class AccountQueries:
    """Reads users, profiles and roles, without a transaction."""

    reader: Reader
    cursors: CursorCodec

    async def get_user(self, user_id: UUID) -> UserRead:
        """Raises ``UserNotFound``."""
        if (found := await self.reader.find(USERS, user_id)) is None:
            raise UserNotFound
        return found

    async def get_user_with_profile(self, user_id: UUID, viewer: Principal) -> UserWithProfile:
        """Raises ``UserNotFound``."""
        user = await self.get_user(user_id)
        profile = await self.reader.one(profile_for(user_id, viewer), UserNotFound, user_id=user_id)
        return project(UserWithProfile, user, profile=profile)

    async def list_users(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> UserPage:
        return await paginate(self.reader, USER_LIST, paging, self.cursors, sort=sort, filters=filters)

    async def get_profile(self, user_id: UUID, viewer: Principal) -> ProfileRead:
        """Raises ``ProfileNotFound``."""
        return await self.reader.one(profile_for(user_id, viewer), ProfileNotFound, user_id=user_id)

    async def get_public_profile(self, user_id: UUID) -> PublicProfile:
        """Of an active user. Raises ``ProfileNotFound``."""
        return await self.reader.one(PUBLIC_PROFILE, ProfileNotFound, user_id=user_id)

    async def find_profiles(
        self, usernames: list[str], paging: PageRequest, *, is_verified: bool | None
    ) -> PublicProfilePage:
        """Of active users with one of these usernames, in any case."""
        filters = {"username": usernames, "is_verified": is_verified}
        return await paginate(self.reader, PROFILE_LIST, paging, self.cursors, filters=filters)

    async def list_people(self, user_ids: Iterable[UUID | None]) -> Mapping[UUID | None, PersonRead]:
        """By id, in one query; not those who are deleted."""
        return await people_by_id(self.reader, user_ids)

    async def get_role(self, role_id: UUID) -> RoleRead:
        """Raises ``RoleNotFound``."""
        return await self.reader.one(ROLE, RoleNotFound, role_id=role_id)

    async def has_role(self, name: str) -> bool:
        """Whether there is a role of this name."""
        return await self.reader.first(ROLE_ID, name=name) is not None

    async def list_roles(self, paging: PageRequest, sort: str | None) -> RolePage:
        return await paginate(self.reader, ROLE_LIST, paging, self.cursors, sort=sort)

    async def find_credentials(self, key: str) -> CredentialRow | None:
        """By the canonical form of an e-mail address or a username."""
        return await self.reader.first(CREDENTIALS_BY_EMAIL if "@" in key else CREDENTIALS_BY_USERNAME, key=key)

    async def find_keeper(self, username_key: str) -> UUID | None:
        """The user who has a username, or for whom it is kept."""
        return await self.reader.first(USERNAME_KEEPER, key=username_key)

    async def find_credentials_of(self, user_id: UUID) -> CredentialRow | None:
        return await self.reader.first(CREDENTIALS, user_id=user_id)

    async def get_credentials(self, user_id: UUID, gone: type[AppError] = AccountGone) -> CredentialRow:
        """Raises ``gone``."""
        return await self.reader.one(CREDENTIALS, gone, user_id=user_id)


def profile_for(user_id: UUID, viewer: Principal) -> Prepared[ProfileRead]:
    """The statement for a profile; only its owner sees the address in it."""
    return OWN_PROFILE if viewer.user_id == user_id else PROFILE

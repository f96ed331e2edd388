from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from app.domain.accounts.dtos import ProfileRead, PublicProfile, RolePage, RoleRead, UserPage, UserRead, UserWithProfile
from app.domain.accounts.errors import ProfileNotFound, RoleNotFound, UserNotFound
from app.domain.accounts.repositories import ROLE_SORTS, USER_SORTS, AccountReads
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal
from app.lib.wire.dto import project

USER_SORT_KEYS = tuple(key.name for key in USER_SORTS)
ROLE_SORT_KEYS = tuple(key.name for key in ROLE_SORTS)


class AccountQueries:
    """Reads users, profiles and roles, without a transaction."""

    def __init__(self, reads: AccountReads) -> None:
        self._reads = reads

    async def get_user(self, user_id: UUID) -> UserRead:
        """Raises ``UserNotFound``."""
        if (user := await self._reads.find_user(user_id)) is None:
            raise UserNotFound
        return user

    async def get_user_with_profile(self, user_id: UUID, viewer: Principal) -> UserWithProfile:
        """Raises ``UserNotFound``."""
        user, person = await self.get_user(user_id), await self._reads.find_person(user_id)
        if person is None:
            raise UserNotFound
        return project(UserWithProfile, user, profile=person.to_read(own=viewer.user_id == user_id))

    async def list_users(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> UserPage:
        return await self._reads.list_users(paging, sort, filters)

    async def get_own_profile(self, user_id: UUID) -> ProfileRead:
        """Raises ``ProfileNotFound``."""
        if (person := await self._reads.find_person(user_id)) is None:
            raise ProfileNotFound
        return person.to_read(own=True)

    async def get_public_profile(self, user_id: UUID) -> PublicProfile:
        """Of an active user. Raises ``ProfileNotFound``."""
        if (person := await self._reads.find_visible_person(user_id)) is None:
            raise ProfileNotFound
        return person.to_public()

    async def list_public_profiles(self, user_ids: Iterable[UUID]) -> dict[UUID, PublicProfile]:
        """By user, of active users, in one query."""
        return {person.user_id: person.to_public() for person in await self._reads.list_visible_people(user_ids)}

    async def get_role(self, role_id: UUID) -> RoleRead:
        """Raises ``RoleNotFound``."""
        if (role := await self._reads.find_role(role_id)) is None:
            raise RoleNotFound
        return role

    async def list_roles(self, paging: PageRequest, sort: str | None) -> RolePage:
        return await self._reads.list_roles(paging, sort)

"""What others see of people, and profiles."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    SQLColumnExpression,
    Uuid,
    and_,
    bindparam,
    case,
    func,
    insert,
    select,
    type_coerce,
    update,
)

from app.domain.accounts.dtos import (
    PersonRead,
    ProfileRead,
    PublicProfile,
    PublicProfilePage,
)
from app.domain.accounts.errors import (
    ProfileNotFound,
)
from app.domain.accounts.models import Profile, User
from app.domain.accounts.rows import JoinedPerson
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.prepared import PreparedIn, columns_of, prepare
from app.lib.db.reader import Reader
from app.lib.db.repositories import EntityRepository
from app.lib.db.statements import json_array
from app.lib.db.uow import UnitOfWork
from app.lib.pagination.filters import equals
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey
from app.lib.text import casefold_key

_USER_ID = bindparam("user_id", type_=Uuid())
_is_there = User.deleted_at.is_(None)
_name = case(
    (
        and_(Profile.first_name.is_not(None), Profile.last_name.is_not(None)),
        Profile.first_name + " " + Profile.last_name,
    ),
    else_=func.coalesce(Profile.first_name, Profile.last_name, User.name),
)
_shown = {
    "id": User.id,
    "username": case((User.is_active, User.username)),
    "name": case((User.is_active, _name)),
    "avatar_url": case((User.is_active, Profile.avatar_url)),
}
_people = select(*columns_of(PersonRead, User, **_shown)).join(Profile, Profile.user_id == User.id).where(_is_there)
_public = {"id": User.id, "username": User.username, "name": _name}
_profiles = select(*columns_of(PublicProfile, Profile, **_public)).join(User, User.id == Profile.user_id)
PEOPLE = PreparedIn(_people, User.id, PersonRead)
PUBLIC_PROFILE = prepare(_profiles.where(Profile.user_id == _USER_ID, User.is_active), PublicProfile)
PROFILE, OWN_PROFILE = (
    prepare(
        select(*columns_of(ProfileRead, Profile, full_name=full_name))
        .join(User, User.id == Profile.user_id)
        .where(Profile.user_id == _USER_ID, _is_there),
        ProfileRead,
    )
    for full_name in (_name, func.coalesce(_name, User.email))
)


async def people_by_id(
    source: Reader | UnitOfWork, user_ids: Iterable[UUID | None]
) -> Mapping[UUID | None, PersonRead]:
    """In one query; not those who are deleted."""
    if not (wanted := {each for each in user_ids if each is not None}):
        return {}
    prepared, values = PEOPLE.of(wanted)
    return {person.id: person for person in await source.all(prepared, **values)}


def person_of(
    user_id: SQLColumnExpression[UUID] | SQLColumnExpression[UUID | None],
) -> ColumnElement[PersonRead | None]:
    """A column next to others: the person whose id a column holds, null where they are deleted."""
    person = select(json_array(*_people.selected_columns)).select_from(User)
    person = person.join(Profile, Profile.user_id == User.id).where(User.id == user_id, _is_there)
    return type_coerce(person.scalar_subquery(), JoinedPerson())


PROFILE_LIST = ListQuery(
    "profiles",
    PublicProfilePage,
    _profiles.where(User.is_active),
    identity=User.id,
    sorts=(SortKey("username", func.coalesce(User.username_key, ""), str),),
    default_sort="username",
    filters=(
        replace(equals("username", User.username_key), convert=casefold_key),
        equals("is_verified", User.is_verified),
    ),
)
"""Name ``username`` in the filters, or it lists everybody."""

TOUCH_PROFILE = prepare(
    update(Profile)
    .where(Profile.user_id == _USER_ID)
    .values(version=Profile.version + 1, updated_at=bindparam("now", type_=Profile.updated_at.type))
)
"""Increments the version, because something of the user has changed that the profile shows."""


_insert_profile = prepare(insert(Profile))
_EMPTY = {"first_name": None, "last_name": None, "bio": None, "avatar_url": None, "version": 1}


class ProfileRepository(EntityRepository[Profile]):
    model = Profile
    not_found = ProfileNotFound

    async def create_empty(self, user_id: UUID) -> None:
        """Adds the profile of a new user. As a prepared statement, because a registration with a free address must not
        take longer than one with a taken address, which adds none.
        """
        now = utc_now()
        await self.unit.execute(_insert_profile, id=new_id(), user_id=user_id, created_at=now, updated_at=now, **_EMPTY)

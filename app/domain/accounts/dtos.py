"""Users, profiles and roles on the wire. Create and Update Structs name every field that may be set."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.domain.accounts.role_names import ROLE_NAME
from app.lib.http.conditional import Version, Versioned
from app.lib.pagination.envelope import Page
from app.lib.security.fields import Email, Password
from app.lib.wire.decoding import Hint
from app.lib.wire.dto import Input, Output
from app.lib.wire.fields import Bio, HttpsUrl, Locale, Name, PersonalName, SingleLine, Username
from app.lib.wire.metadata import Metadata, MetadataPatch
from app.lib.wire.struct_schema import example_id

RoleName = Annotated[
    str,
    Meta(pattern=ROLE_NAME, max_length=50, examples=["support"]),
    Hint("Must be 2 to 50 lower-case letters, digits, hyphens and underscores, with a letter first."),
]
PermissionCode = Annotated[
    str,
    Meta(pattern=r"^[a-z_]+:[a-z_]+$(?!\n)", max_length=64, examples=["users:read"]),
    Hint("Must be two lower-case words with a colon between them."),
]


PersonId = Annotated[UUID, Meta(examples=[example_id("user_id")])]
RoleNames = Annotated[list[RoleName], Meta(max_length=50)]
_LastName = Annotated[PersonalName, Meta(examples=["Lovelace"])]
FullName = Annotated[str, Meta(max_length=254, examples=["Ada Lovelace"])]


class PersonRead(Output):
    """A person as others see them. ``name`` is first and last name, else the user's name, and never the address.

    Of a deactivated account only the id is shown, and a deleted one is null where a person would be.
    """

    id: PersonId
    username: Username | None
    name: FullName | None
    avatar_url: HttpsUrl | None


class AccountFields(Output):
    """A user as they and administrators see it."""

    id: UUID
    email: Email
    username: Username | None
    name: Name | None
    locale: Locale
    is_active: Annotated[bool, Meta(examples=[True])]
    is_verified: Annotated[bool, Meta(examples=[True])]
    is_superuser: bool
    is_service: Annotated[bool, Meta(description="A service account, whose address leads nowhere.")]
    roles: RoleNames
    metadata: Annotated[Metadata, Meta(description="Of other systems: set with `users:write`; the user sees it.")]
    created_at: datetime
    updated_at: datetime
    version: Version


class UserRead(AccountFields, Versioned):
    """A user as they and administrators see it."""


class UserPage(Page[UserRead], frozen=True, kw_only=True):
    """One page of users."""


DEFAULT_LOCALE = "en"


class Registration(Input):
    """A new account for oneself."""

    email: Email
    password: Password
    name: Name | None = None
    username: Username | None = None


class UserCreate(Registration):
    """A new user, created by an administrator."""

    locale: Locale = DEFAULT_LOCALE
    is_verified: Annotated[bool, Meta(examples=[True])] = False
    is_superuser: bool = False
    metadata: Metadata = msgspec.field(default_factory=dict)


class ServiceAccountCreate(Input):
    """A new service account."""

    name: Annotated[Name, Meta(examples=["Nightly import"])]


class OwnUserUpdate(Input):
    """A merge patch of the current user."""

    name: Name | None | UnsetType = UNSET
    username: Username | None | UnsetType = UNSET
    locale: Locale | UnsetType = UNSET


class UserUpdate(OwnUserUpdate):
    """A merge patch of a user; only superusers may change ``is_superuser``."""

    email: Email | UnsetType = UNSET
    is_verified: Annotated[bool, Meta(examples=[True])] | UnsetType = UNSET
    is_superuser: bool | UnsetType = UNSET
    metadata: MetadataPatch | None | UnsetType = UNSET


class PasswordChange(Input):
    """The current password and the new one."""

    current_password: Annotated[
        str, Meta(min_length=1, max_length=1024, examples=["Tr0ub4dor&3"], extra_json_schema={"format": "password"})
    ]
    new_password: Password


class NewPassword(Input):
    """A password that an administrator sets."""

    password: Password


class WholeProfile(Input):
    """A whole profile; fields that are left out become empty."""

    first_name: PersonalName | None = None
    last_name: _LastName | None = None
    bio: Bio | None = None
    avatar_url: HttpsUrl | None = None


class ProfileUpdate(Input):
    """A merge patch of a profile."""

    first_name: PersonalName | None | UnsetType = UNSET
    last_name: _LastName | None | UnsetType = UNSET
    bio: Bio | None | UnsetType = UNSET
    avatar_url: HttpsUrl | None | UnsetType = UNSET


class ProfileRead(Versioned):
    """A whole profile, for its owner and for administrators.

    ``full_name`` is first and last name, else the user's name; else the owner sees their address and others null.
    """

    user_id: UUID
    first_name: PersonalName | None
    last_name: _LastName | None
    full_name: FullName | None
    bio: Bio | None
    avatar_url: HttpsUrl | None
    created_at: datetime
    updated_at: datetime
    version: Version


class PublicProfile(PersonRead, Versioned):
    """A person with the rest of their profile, as the public sees it; ``id`` is the user's."""

    bio: Bio | None
    version: Version


class PublicProfilePage(Page[PublicProfile], frozen=True, kw_only=True):
    """Profiles that were found."""


class UserWithProfile(AccountFields):
    """A user with ``expand=profile``. It has no ETag, because it is two resources."""

    profile: ProfileRead


class PermissionRead(Output):
    """A permission that roles may hold."""

    code: PermissionCode
    description: Annotated[str, Meta(max_length=255, examples=["See all users."])]


class PermissionPage(Page[PermissionRead], frozen=True, kw_only=True):
    """One page of permissions, sorted by code."""


_RoleDescription = Annotated[SingleLine, Meta(examples=["Looks after users."])]
RequiresMfa = Annotated[bool, Meta(description="Users who have the role must have a second factor.")]


class RoleRead(Versioned):
    """A role and the permissions that it gives."""

    id: UUID
    name: RoleName
    description: _RoleDescription | None
    permissions: Annotated[list[PermissionCode], Meta(max_length=200)]
    requires_mfa: RequiresMfa
    created_at: datetime
    updated_at: datetime
    version: Version


class RolePage(Page[RoleRead], frozen=True, kw_only=True):
    """One page of roles."""


class RoleCreate(Input):
    """A new role."""

    name: RoleName
    description: _RoleDescription | None = None
    permissions: Annotated[list[PermissionCode], Meta(max_length=200)] = msgspec.field(default_factory=list)
    requires_mfa: RequiresMfa = False


class RoleUpdate(Input):
    """A merge patch of a role."""

    name: RoleName | UnsetType = UNSET
    description: _RoleDescription | None | UnsetType = UNSET
    permissions: Annotated[list[PermissionCode], Meta(max_length=200)] | UnsetType = UNSET
    requires_mfa: RequiresMfa | UnsetType = UNSET


class RoleAssignment(Input):
    """The names of all roles of a user."""

    roles: RoleNames

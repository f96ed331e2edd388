from typing import Annotated
from uuid import UUID

from litestar import Controller, get, patch
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from app.domain.accounts.controllers.users import SEES_USER
from app.domain.accounts.dtos import ProfileRead, ProfileUpdate, PublicProfile, PublicProfilePage
from app.domain.accounts.errors import BeyondOwnRights
from app.domain.accounts.permissions import USERS_WRITE
from app.domain.accounts.services.queries import AccountQueries
from app.domain.accounts.services.users import UserService
from app.domain.accounts.settings import AccountSettings
from app.lib.http.answers import public_answer
from app.lib.http.conditional import TAGGED
from app.lib.http.injection import Caller, Injected, Paging, Precondition
from app.lib.http.rules import TEXT_BODY
from app.lib.openapi.document import may_raise
from app.lib.security.policies import permission, public
from app.lib.wire.dto import StructDTO

Accounts = Injected[AccountQueries]
UserId = FromPath[UUID]
Usernames = Annotated[
    # msgspec reads the one and the document is written from the other.
    list[Annotated[str, Meta(min_length=1, max_length=30), QueryParameter(min_length=1, max_length=30)]],
    QueryParameter(
        name="username",
        description="The whole name, in any case; repeat for several.",
        min_items=1,
        max_items=20,
        schema_extra={"examples": [["ada.lovelace"]]},
    ),
]
_PUBLIC = public_answer("users", "profiles", unless=[])


class ProfileController(Controller):
    tags = ("Profiles",)

    @get(
        "/profiles",
        guards=[public],
        return_dto=StructDTO[PublicProfilePage],
        summary="Find profiles by username",
        description="Of active users. There is no list of everyone: `username` is required.",
        opt=TAGGED | _PUBLIC,
    )
    async def find_profiles(
        self, accounts: Accounts, settings: Injected[AccountSettings], paging: Paging, username: Usernames
    ) -> PublicProfilePage:
        # Who registers with a username and an address that has an account must not learn so from what is found here.
        return await accounts.find_profiles(username, paging, is_verified=settings.require_verified_email or None)

    @get(
        "/profiles/{user_id:uuid}",
        guards=[public],
        return_dto=StructDTO[PublicProfile],
        summary="Get a public profile",
        description="What everybody may see of a user; never the address.",
        opt=_PUBLIC,
    )
    async def get_profile(self, user_id: UserId, accounts: Accounts) -> PublicProfile:
        return await accounts.get_public_profile(user_id)

    @get(
        "/users/{user_id:uuid}/profile",
        guards=[SEES_USER],
        return_dto=StructDTO[ProfileRead],
        summary="Get a user's profile",
        description="Your own, or with `users:read` that of any user.",
    )
    async def get_user_profile(self, user_id: UserId, accounts: Accounts, principal: Caller) -> ProfileRead:
        return await accounts.get_profile(user_id, principal)

    @patch(
        "/users/{user_id:uuid}/profile",
        guards=[permission(USERS_WRITE, sight=SEES_USER)],
        dto=StructDTO[ProfileUpdate],
        return_dto=StructDTO[ProfileRead],
        summary="Update a user's profile",
        description="A merge patch: what is left out stays, null clears.",
        opt=TEXT_BODY | may_raise(BeyondOwnRights),
    )
    async def update_user_profile(
        self,
        user_id: UserId,
        data: JSONBody[ProfileUpdate],
        users: Injected[UserService],
        principal: Caller,
        if_match: Precondition,
    ) -> ProfileRead:
        return await users.update_profile(user_id, data, if_match, principal)

from typing import Any

from litestar import Controller, Request, Response, delete, get, patch, put
from litestar.openapi import ResponseSpec
from litestar.params import JSONBody
from litestar.response import Stream

from app.domain.accounts.dtos import OwnUserUpdate, ProfileRead, ProfileUpdate, UserRead, WholeProfile
from app.domain.accounts.errors import AccountGone, LastSuperuser, UsernameTaken
from app.domain.accounts.services.export import ExportService
from app.domain.accounts.services.queries import AccountQueries
from app.domain.accounts.services.users import UserService
from app.lib.errors import NotFound, RateLimited
from app.lib.http.injection import Caller, Injected, Precondition
from app.lib.http.problems import respond
from app.lib.http.rules import BY_HEAD, TEXT_BODY
from app.lib.openapi.document import may_raise
from app.lib.openapi.examples import shows
from app.lib.security.policies import OPEN_TO_DEBTORS, authenticated, recently_authenticated
from app.lib.wire.dto import StructDTO

Users = Injected[UserService]
Accounts = Injected[AccountQueries]


def account_gone(request: Request[Any, Any, Any], _: NotFound) -> Response[bytes]:
    """For the exception handlers of controllers below ``/users/me``: the account was deleted a moment ago, so it is the
    token that is no longer good.
    """
    return respond(request, AccountGone())


class MeController(Controller):
    path = "/users/me"
    tags = ("Users",)
    return_dto = StructDTO[UserRead]
    exception_handlers = {NotFound: account_gone}  # noqa: RUF012 - Litestar declares it as an instance's

    @get(
        guards=[authenticated],
        summary="Get the current user",
        description="Who the token belongs to, with roles and settings. Clients read it after a sign-in.",
        opt=OPEN_TO_DEBTORS,
    )
    async def get_me(self, principal: Caller, accounts: Accounts) -> UserRead:
        return await accounts.get_user(principal.user_id)

    @patch(
        guards=[authenticated],
        dto=StructDTO[OwnUserUpdate],
        summary="Update the current user",
        description="Name, username and language, as a merge patch. Address and password have their own routes.",
        opt=may_raise(UsernameTaken),
    )
    async def update_me(
        self, data: JSONBody[OwnUserUpdate], principal: Caller, users: Users, if_match: Precondition
    ) -> UserRead:
        return await users.update_own(principal.user_id, data, if_match)

    @delete(
        guards=[recently_authenticated],
        summary="Delete the current user",
        description="Deletes your account and all that belongs to it.",
        opt=may_raise(LastSuperuser),
    )
    async def delete_me(self, principal: Caller, users: Users, if_match: Precondition) -> None:
        await users.delete(principal.user_id, if_match, principal)

    @get(
        "/export",
        guards=[recently_authenticated],
        opt=may_raise(RateLimited) | shows(200, user=[{"email": "ada@example.com", "name": "Ada Lovelace"}]),
        return_dto=None,
        responses={200: ResponseSpec(dict[str, Any], generate_examples=False)},
        summary="Export what is held on the current user",
        description="A JSON object with a list for each kind of thing, as it is stored, without secrets.",
    )
    async def export_me(
        self, request: Request[Any, Any, Any], principal: Caller, exports: Injected[ExportService]
    ) -> Stream:
        name = {"Content-Disposition": 'attachment; filename="account.json"', "Cache-Control": "no-store"}
        pieces = iter(()) if BY_HEAD in request.scope["state"] else await exports.export(principal)
        return Stream(pieces, media_type="application/json", headers=name)

    @get(
        "/profile",
        guards=[authenticated],
        return_dto=StructDTO[ProfileRead],
        summary="Get the current user's profile",
        description="What others see of you, and your `full_name` as you see it.",
    )
    async def get_my_profile(self, principal: Caller, accounts: Accounts) -> ProfileRead:
        return await accounts.get_profile(principal.user_id, principal)

    @put(
        "/profile",
        guards=[authenticated],
        dto=StructDTO[WholeProfile],
        return_dto=StructDTO[ProfileRead],
        summary="Set the current user's profile",
        description="All of it: what is left out becomes empty.",
        opt=TEXT_BODY,
    )
    async def set_my_profile(
        self, data: JSONBody[WholeProfile], principal: Caller, users: Users, if_match: Precondition
    ) -> ProfileRead:
        return await users.update_profile(principal.user_id, data, if_match, principal)

    @patch(
        "/profile",
        guards=[authenticated],
        dto=StructDTO[ProfileUpdate],
        return_dto=StructDTO[ProfileRead],
        summary="Update the current user's profile",
        description="A merge patch: what is left out stays, null clears.",
        opt=TEXT_BODY,
    )
    async def update_my_profile(
        self, data: JSONBody[ProfileUpdate], principal: Caller, users: Users, if_match: Precondition
    ) -> ProfileRead:
        return await users.update_profile(principal.user_id, data, if_match, principal)

"""What users who are signed in do with their own credentials."""

from litestar import Controller, post
from litestar.params import JSONBody

from app.domain.accounts.controllers.me import account_gone
from app.domain.accounts.dtos import PasswordChange
from app.domain.accounts.errors import PasswordAlreadyChanged, WrongCurrentPassword
from app.domain.auth.dtos import TokenPair
from app.domain.auth.services.change_password import PasswordChangeService
from app.lib.errors import NotFound
from app.lib.http.injection import Caller, Injected
from app.lib.openapi.document import may_raise
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import authenticated
from app.lib.wire.dto import StructDTO


class CredentialController(Controller):
    path = "/users/me"
    tags = ("Users",)
    exception_handlers = {NotFound: account_gone}  # noqa: RUF012 - Litestar declares it as an instance's

    @post(
        "/password",
        guards=[authenticated, rate_limit("auth")],
        dto=StructDTO[PasswordChange],
        return_dto=StructDTO[TokenPair],
        status_code=200,
        summary="Change the current user's password",
        description="Ends all your sessions and answers with the tokens of a new one. Those before are good no more.",
        opt=may_raise(WrongCurrentPassword, PasswordAlreadyChanged),
    )
    async def change_password(
        self, data: JSONBody[PasswordChange], principal: Caller, password_changes: Injected[PasswordChangeService]
    ) -> TokenPair:
        return await password_changes.change(data, principal)

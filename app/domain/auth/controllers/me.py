"""What users who are signed in do with their own credentials."""

from litestar import Controller, post
from litestar.params import JSONBody

from app.domain.accounts.controllers.me import account_gone
from app.domain.accounts.dtos import PasswordChange
from app.domain.accounts.errors import PasswordAlreadyChanged, WrongCurrentPassword
from app.domain.auth.dtos.links import MailRequest, MailRequested
from app.domain.auth.dtos.sessions import TokenPair
from app.domain.auth.services.change_email import EmailChangeService
from app.domain.auth.services.change_password import PasswordChangeService
from app.lib.errors import NotFound, ReauthRequired
from app.lib.http.injection import Caller, Injected
from app.lib.openapi.document import may_raise
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import OPEN_TO_DEBTORS, recently_authenticated, signed_in
from app.lib.wire.dto import StructDTO

_REQUESTED = MailRequested(status="accepted", detail="If the address can be used, a mail is on its way to it.")


class CredentialController(Controller):
    path = "/users/me"
    tags = ("Users",)
    exception_handlers = {NotFound: account_gone}  # noqa: RUF012 - Litestar declares it as an instance's

    @post(
        "/password",
        guards=[signed_in, rate_limit("auth")],
        dto=StructDTO[PasswordChange],
        return_dto=StructDTO[TokenPair],
        status_code=200,
        summary="Change the current user's password",
        description=(
            "Ends all your sessions and answers with the tokens of a new one. Those before are good no more. With a "
            "second factor it needs a sign-in within 10 minutes."
        ),
        opt=may_raise(WrongCurrentPassword, PasswordAlreadyChanged, ReauthRequired) | OPEN_TO_DEBTORS,
    )
    async def change_password(
        self, data: JSONBody[PasswordChange], principal: Caller, password_changes: Injected[PasswordChangeService]
    ) -> TokenPair:
        return await password_changes.change(data, principal)

    @post(
        "/email",
        guards=[recently_authenticated, rate_limit("auth")],
        dto=StructDTO[MailRequest],
        return_dto=StructDTO[MailRequested],
        status_code=202,
        summary="Change the current user's email address",
        description=(
            "Mails a link to the new address, which confirms it. The answer does not say whether another account has "
            "the address; nothing is mailed then."
        ),
    )
    async def request_email_change(
        self, data: JSONBody[MailRequest], principal: Caller, email_changes: Injected[EmailChangeService]
    ) -> MailRequested:
        await email_changes.request(data, principal)
        return _REQUESTED

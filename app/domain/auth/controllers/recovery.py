"""What people do with secrets that were mailed to them, by links or codes."""

from typing import Any

from litestar import Controller, Request, Response, post
from litestar.params import JSONBody

from app.domain.accounts.errors import EmailTaken, PasswordAlreadyChanged
from app.domain.auth.dtos.links import EmailChange, EmailVerification, MailRequest, MailRequested, PasswordReset
from app.domain.auth.errors import InvalidLink
from app.domain.auth.services.change_email import EmailChangeService
from app.domain.auth.services.links import Purpose
from app.domain.auth.services.request_mail import MailRequestService
from app.domain.auth.services.reset_password import ResetService
from app.domain.auth.services.verify_email import VerificationService
from app.lib.errors import NotFound
from app.lib.http.injection import Injected
from app.lib.http.problems import respond
from app.lib.openapi.document import may_raise
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import optional_in_person, public
from app.lib.security.principal import Principal
from app.lib.wire.dto import StructDTO

REQUESTED = MailRequested(status="accepted", detail="If there is such an account, a mail is on its way.")


def _link_gone(request: Request[Any, Any, Any], _: NotFound) -> Response[bytes]:
    """The user was deleted a moment ago, or has another address by now."""
    return respond(request, InvalidLink())


class RecoveryController(Controller):
    path = "/auth"
    tags = ("Auth",)
    return_dto = None
    guards = (rate_limit("auth"),)
    exception_handlers = {NotFound: _link_gone}  # noqa: RUF012 - Litestar declares it as an instance's

    @post(
        "/verify-email",
        guards=[optional_in_person],
        dto=StructDTO[EmailVerification],
        status_code=204,
        summary="Verify an email address",
        description=(
            "Send the token of the link, or the address and the code of the same mail, within 24 hours. The account "
            "has the `password` from now on, and another one than before ends all sessions. Callers who are signed in "
            "may leave it out."
        ),
        opt=may_raise(PasswordAlreadyChanged),
    )
    async def verify_email(
        self,
        data: JSONBody[EmailVerification],
        verification: Injected[VerificationService],
        viewer: Injected[Principal | None],
    ) -> None:
        await verification.verify(data, viewer)

    @post(
        "/forgot-password",
        guards=[public],
        dto=StructDTO[MailRequest],
        return_dto=StructDTO[MailRequested],
        status_code=202,
        summary="Request a password reset",
        description="Mails a link that is good for 30 minutes. The answer does not say whether there is an account.",
    )
    async def forgot_password(
        self, data: JSONBody[MailRequest], mail_requests: Injected[MailRequestService]
    ) -> MailRequested:
        await mail_requests.request(Purpose.RESET_PASSWORD, data.email)
        return REQUESTED

    @post(
        "/reset-password",
        guards=[public],
        dto=StructDTO[PasswordReset],
        status_code=204,
        summary="Reset a password",
        description="Sets the password by the token of the newest link. Ends all sessions and begins none.",
        opt=may_raise(PasswordAlreadyChanged),
    )
    async def reset_password(self, data: JSONBody[PasswordReset], resets: Injected[ResetService]) -> None:
        await resets.reset(data)

    @post(
        "/change-email",
        guards=[public],
        dto=StructDTO[EmailChange],
        status_code=204,
        summary="Confirm a new email address",
        description="By the token that was mailed to it within 24 hours. The former one gets a link that undoes it.",
        opt=may_raise(EmailTaken),
    )
    async def change_email(self, data: JSONBody[EmailChange], email_changes: Injected[EmailChangeService]) -> None:
        await email_changes.confirm(data.token)

    @post(
        "/revert-email",
        guards=[public],
        dto=StructDTO[PasswordReset],
        status_code=204,
        summary="Undo a change of an email address",
        description=(
            "By the token that was mailed to the former address within 72 hours. Sets the password, because another "
            "person may know the present one, and ends all sessions."
        ),
        opt=may_raise(EmailTaken, PasswordAlreadyChanged),
    )
    async def revert_email(self, data: JSONBody[PasswordReset], email_changes: Injected[EmailChangeService]) -> None:
        await email_changes.revert(data)

    @post(
        "/verify-email/send-code",
        guards=[public],
        dto=StructDTO[MailRequest],
        return_dto=StructDTO[MailRequested],
        status_code=202,
        summary="Request a code to verify an email address",
        description=(
            "Mails a link and a code. The answer does not say whether there is such an account. Only the newest mail "
            "is good."
        ),
    )
    async def send_verification_code(
        self, data: JSONBody[MailRequest], mail_requests: Injected[MailRequestService]
    ) -> MailRequested:
        await mail_requests.request(Purpose.VERIFY_EMAIL, data.email)
        return REQUESTED

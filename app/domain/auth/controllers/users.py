from uuid import UUID

from litestar import post
from litestar.params import FromPath

from app.domain.accounts.controllers.users import SEES_USER
from app.domain.accounts.errors import UserNotFound
from app.domain.accounts.permissions import USERS_WRITE
from app.domain.auth.dtos.links import MailRequested
from app.domain.auth.services.request_mail import MailRequestService
from app.lib.http.injection import Injected
from app.lib.openapi.document import may_raise
from app.lib.security.policies import permission
from app.lib.wire.dto import StructDTO


@post(
    "/users/{user_id:uuid}/send-password-reset",
    guards=[permission(USERS_WRITE, sight=SEES_USER, in_person=True)],
    return_dto=StructDTO[MailRequested],
    status_code=202,
    summary="Send a password reset",
    description="Mails a link to an active user, who sets a password by it within 30 minutes. Nothing changes before.",
    tags=["Users"],
    opt=may_raise(UserNotFound),
)
async def send_password_reset(user_id: FromPath[UUID], mail_requests: Injected[MailRequestService]) -> MailRequested:
    await mail_requests.request_reset_for(user_id)
    return MailRequested(status="accepted", detail="A mail is on its way, unless the user was sent many just now.")

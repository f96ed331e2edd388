from uuid import UUID

from litestar import Response, delete, post
from litestar.params import FromPath

from app.domain.accounts.controllers.users import SEES_USER
from app.domain.accounts.errors import BeyondOwnRights, UserNotFound
from app.domain.accounts.permissions import USERS_WRITE
from app.domain.auth.dtos.links import MailRequested
from app.domain.auth.dtos.sessions import ImpersonationToken
from app.domain.auth.errors import NotImpersonable, SecondFactorOff
from app.domain.auth.permissions import USERS_IMPERSONATE
from app.domain.auth.services.impersonate import ImpersonationService
from app.domain.auth.services.request_mail import MailRequestService
from app.domain.auth.services.second_factors import SecondFactorService
from app.lib.http.injection import Caller, Injected
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


@post(
    "/users/{user_id:uuid}/impersonate",
    guards=[permission(USERS_IMPERSONATE, sight=SEES_USER, fresh=True)],
    return_dto=StructDTO[ImpersonationToken],
    status_code=200,
    summary="Act as a user",
    description=(
        "An access token of the user for support, good for an hour. It ends with your own session, by signing out with "
        "it, and when you act as the same user again. Not for superusers, nor for users who have more rights than you."
    ),
    tags=["Users"],
    opt=may_raise(BeyondOwnRights, NotImpersonable),
)
async def impersonate_user(
    user_id: FromPath[UUID], impersonation: Injected[ImpersonationService], principal: Caller
) -> Response[ImpersonationToken]:
    token = await impersonation.impersonate(user_id, principal)
    return Response(token, headers={"Cache-Control": "no-store"})


@delete(
    "/users/{user_id:uuid}/mfa",
    guards=[permission(USERS_WRITE, sight=SEES_USER, fresh=True)],
    summary="Turn off a user's second factor",
    description=(
        "For a user who has lost it: removes every factor and the recovery codes, and ends their sessions. Make sure "
        "that it is them who ask."
    ),
    tags=["Users"],
    opt=may_raise(BeyondOwnRights, SecondFactorOff),
)
async def disable_mfa(
    user_id: FromPath[UUID], second_factors: Injected[SecondFactorService], principal: Caller
) -> None:
    await second_factors.turn_off(user_id, principal)

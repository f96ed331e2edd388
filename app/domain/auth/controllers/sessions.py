from uuid import UUID

from litestar import Controller, delete, get, post
from litestar.params import FromPath, JSONBody

from app.domain.accounts.errors import WrongCurrentPassword
from app.domain.auth.dtos.links import MailRequested
from app.domain.auth.dtos.sessions import Reauthentication, SessionPage, SessionRead
from app.domain.auth.errors import MfaRequired, NoMailedCode
from app.domain.auth.services.queries import SessionQueries
from app.domain.auth.services.reauthenticate import ReauthenticationService
from app.domain.auth.services.sessions import SessionService
from app.lib.http.injection import Caller, Injected, Paging
from app.lib.openapi.document import may_raise
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import OPEN_TO_DEBTORS, signed_in
from app.lib.wire.dto import StructDTO


class SessionController(Controller):
    path = "/auth"
    tags = ("Auth",)

    @get(
        "/sessions",
        guards=[signed_in],
        return_dto=StructDTO[SessionPage],
        summary="List your sessions",
        description="Where you are signed in: device, address and times. `current` is the one that asks.",
        opt=OPEN_TO_DEBTORS,
    )
    async def list_sessions(
        self, session_queries: Injected[SessionQueries], principal: Caller, paging: Paging
    ) -> SessionPage:
        return await session_queries.list(paging, principal)

    @delete(
        "/sessions/{session_id:uuid}",
        guards=[signed_in],
        summary="End a session",
        description="One of your own, also the current one.",
        opt=OPEN_TO_DEBTORS,
    )
    async def end_session(
        self, session_id: FromPath[UUID], sessions: Injected[SessionService], principal: Caller
    ) -> None:
        await sessions.end(session_id, principal)

    @post(
        "/logout-others",
        guards=[signed_in],
        status_code=204,
        summary="Sign out elsewhere",
        description="Ends all your sessions except the current one.",
        opt=OPEN_TO_DEBTORS,
    )
    async def logout_others(self, principal: Caller, sessions: Injected[SessionService]) -> None:
        await sessions.sign_out_everywhere(principal, keeps_current=True)

    @post(
        "/reauthenticate",
        guards=[signed_in, rate_limit("auth")],
        dto=StructDTO[Reauthentication],
        return_dto=StructDTO[SessionRead],
        status_code=200,
        summary="Confirm your password",
        description=(
            "Sensitive acts (403 `reauth_required`) are possible in this session for the next 10 minutes. Users with a "
            "second factor send a `code` of it as well (403 `mfa_required`). Users without a password send the "
            "`mailed_code` that `POST /api/v1/auth/reauthenticate/send-code` has mailed to them."
        ),
        opt=may_raise(WrongCurrentPassword, MfaRequired) | OPEN_TO_DEBTORS,
    )
    async def reauthenticate(
        self,
        data: JSONBody[Reauthentication],
        principal: Caller,
        reauthentication: Injected[ReauthenticationService],
    ) -> SessionRead:
        return await reauthentication.reauthenticate(data, principal)

    @post(
        "/reauthenticate/send-code",
        guards=[signed_in, rate_limit("auth")],
        return_dto=StructDTO[MailRequested],
        status_code=202,
        summary="Request a code to confirm who you are",
        description="For users without a password: mails six digits, which are good in this session for 10 minutes.",
        opt=may_raise(NoMailedCode) | OPEN_TO_DEBTORS,
    )
    async def send_reauthentication_code(
        self, principal: Caller, reauthentication: Injected[ReauthenticationService]
    ) -> MailRequested:
        await reauthentication.send_code(principal)
        return MailRequested(status="accepted", detail="A mail is on its way, unless you were sent many just now.")

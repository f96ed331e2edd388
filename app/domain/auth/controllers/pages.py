"""The pages behind mailed links, for people without a front end (``PUBLIC_APP_URL``).

Mail filters follow links before people do, so a GET changes nothing: the page has a form. The token comes in the query,
which the access log does not have.
"""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from app.domain.accounts.errors import EmailTaken
from app.domain.auth.dtos.links import EmailChange, EmailVerification, PasswordReset
from app.domain.auth.services.change_email import EmailChangeService
from app.domain.auth.services.links import MailedLinks, Purpose
from app.domain.auth.services.reset_password import ResetService
from app.domain.auth.services.verify_email import VerificationService
from app.lib.errors import AppError, NotFound, ValidationFailed
from app.lib.http.injection import Injected
from app.lib.http.problems import respond
from app.lib.http.query import PASSED_ON
from app.lib.http.rules import CONSUMES, FORM, HTML_PAGE, PRODUCES_ANYTHING
from app.lib.mail.pages import answer_page
from app.lib.mail.templates import MailTemplates
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import public
from app.lib.wire.decoding import convert
from app.lib.wire.dto import parse_form

_PURPOSES = {purpose.path: purpose for purpose in Purpose}


def _token(request: Request[Any, Any, Any]) -> str:
    """Of the link, as it came through the mail. No parameter of the handler, because its refusal is no page."""
    found: str = request.query_params.get("token", "")
    return found


def _page(request: Request[Any, Any, Any], state: str, *, status_code: int = 200, problem: str = "") -> Response[str]:
    templates: MailTemplates = request.app.state.core.services.get(MailTemplates)
    purpose = _PURPOSES.get(request.url.path)
    return answer_page(
        request, templates, "link_page", status_code=status_code, state=state, purpose=purpose, problem=problem
    )


def _refuse(request: Request[Any, Any, Any], error: AppError) -> Response[Any]:
    """The page that says what is wrong. A password that is not good enough may be mended."""
    if request.url.path not in _PURPOSES:
        return respond(request, error)
    problems = {each.pointer: each.code.value for each in error.errors}
    if isinstance(error, ValidationFailed) and "/password" in problems:
        return _page(request, "ask", status_code=422, problem=problems["/password"])
    if isinstance(error, EmailTaken):
        return _page(request, "taken", status_code=error.status)
    is_unknown = isinstance(error, ValidationFailed | NotFound)
    response = _page(request, "unknown" if is_unknown else "failed", status_code=404 if is_unknown else error.status)
    response.headers.update(error.headers)
    return response


class PageController(Controller):
    path = "/account"
    exception_handlers = dict.fromkeys((AppError, ValidationFailed), _refuse)

    @get("/{action:str}", name="link_page", include_in_schema=False, **HTML_PAGE)
    async def show_page(
        self, request: Request[Any, Any, Any], action: FromPath[str], links: Injected[MailedLinks]
    ) -> Response[str]:
        await links.find(_purpose(request), _token(request))
        return _page(request, "ask")

    @post(
        "/{action:str}",
        guards=[public, rate_limit("auth")],
        opt={PRODUCES_ANYTHING: True, CONSUMES: (FORM,), **PASSED_ON},
        status_code=200,
        include_in_schema=False,
        name="use_link",
    )
    async def use_link(
        self,
        request: Request[Any, Any, Any],
        action: FromPath[str],
        verification: Injected[VerificationService],
        resets: Injected[ResetService],
        email_changes: Injected[EmailChangeService],
    ) -> Response[str]:
        values = {"token": _token(request), **parse_form(await request.body())}
        match _purpose(request):
            case Purpose.VERIFY_EMAIL:
                await verification.verify(convert(values, EmailVerification, strict=True), None)
            case Purpose.RESET_PASSWORD:
                await resets.reset(convert(values, PasswordReset, strict=True))
            case Purpose.CHANGE_EMAIL:
                await email_changes.confirm(convert(values, EmailChange, strict=True).token)
            case Purpose.REVERT_EMAIL:
                await email_changes.revert(convert(values, PasswordReset, strict=True))
            case Purpose.REAUTHENTICATE:
                raise NotFound  # its mail has no link
        return _page(request, "done")


def _purpose(request: Request[Any, Any, Any]) -> Purpose:
    if (purpose := _PURPOSES.get(request.url.path)) is None:
        raise NotFound
    return purpose

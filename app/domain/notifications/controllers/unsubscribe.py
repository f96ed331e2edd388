"""Unsubscribing without a sign-in: a page for people, and one click for mail programs (RFC 8058).

Neither says whether the user exists. The token comes in the query, which the access log does not have.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import QueryParameter

from app.domain.notifications.errors import NoSuchLink, NotOneClick
from app.domain.notifications.services.links import PATH, UnsubscribeLinks
from app.domain.notifications.services.preferences import PreferenceService
from app.lib.http.injection import Injected
from app.lib.http.query import PASSED_ON
from app.lib.http.rules import CONSUMES, FORM, HTML_PAGE, PRODUCES_ANYTHING
from app.lib.mail.pages import answer_page
from app.lib.mail.templates import MailTemplates
from app.lib.openapi.document import may_raise
from app.lib.security.policies import public
from app.lib.wire.dto import parse_form

_MULTIPART = RequestEncodingType.MULTI_PART.value

_Token = Annotated[str | None, QueryParameter(max_length=200, description="From the link in a mail.")]


_ONE_CLICK_FORM = {"List-Unsubscribe": "One-Click"}
_ONE_CLICK = Schema(
    type=OpenAPIType.OBJECT,
    properties={"List-Unsubscribe": Schema(type=OpenAPIType.STRING, const="One-Click")},
    required=["List-Unsubscribe"],
    additional_properties=False,
)


@dataclass
class _OneClickOperation(Operation):
    """The handler reads the form by itself, because mail programs may also send it as multipart (RFC 8058)."""

    def __post_init__(self) -> None:
        self.request_body = RequestBody(content={FORM: OpenAPIMediaType(schema=_ONE_CLICK, example=_ONE_CLICK_FORM)})


@get(
    PATH,
    name="unsubscribe_page",
    responses={404: ResponseSpec(str, generate_examples=False, media_type="text/html", description="No such link.")},
    summary="Ask whether to unsubscribe",
    description="A page for people, which the links in mails lead to. Changes nothing.",
    tags=["Notifications"],
    **HTML_PAGE,
)
async def show_unsubscribe_page(
    request: Request[Any, Any, Any],
    unsubscribe_links: Injected[UnsubscribeLinks],
    mail_templates: Injected[MailTemplates],
    token: _Token = None,
) -> Response[str]:
    """Asks, and changes nothing: mail filters follow links before people do."""
    known = token is not None and unsubscribe_links.read(token) is not None
    state = "ask" if known else "unknown" if token else "nothing"
    status_code = 404 if state == "unknown" else 200
    return answer_page(request, mail_templates, "unsubscribe_page", status_code=status_code, state=state)


@post(
    PATH,
    guards=[public],
    opt={PRODUCES_ANYTHING: True, CONSUMES: (FORM, _MULTIPART), **PASSED_ON} | may_raise(NoSuchLink, NotOneClick),
    operation_class=_OneClickOperation,
    media_type="text/html",
    status_code=200,
    summary="Unsubscribe",
    description="For mail programs (RFC 8058) and for the page of the same address. Needs no sign-in.",
    tags=["Notifications"],
    name="unsubscribe",
)
async def unsubscribe(
    request: Request[Any, Any, Any],
    unsubscribe_links: Injected[UnsubscribeLinks],
    preference_service: Injected[PreferenceService],
    mail_templates: Injected[MailTemplates],
    token: _Token = None,
) -> Response[str]:
    form: Any = await request.form() if request.content_type[0] == _MULTIPART else parse_form(await request.body())
    if form.get("List-Unsubscribe") != "One-Click":
        raise NotOneClick
    found = unsubscribe_links.read(token or "")
    if found is None:
        raise NoSuchLink
    await preference_service.unsubscribe(*found)
    return answer_page(request, mail_templates, "unsubscribe_page", state="done")

"""``/dev/mail``: the mails of a development server. The app has these routes in development only, and answers to the
developer at this machine.
"""

from typing import Any
from uuid import UUID

from litestar import Request, Response, Router, get
from litestar.params import FromPath

from app.domain.notifications.services.mailbox import DevelopmentMailbox
from app.lib.http.base_path import base_path_of
from app.lib.http.developers import only_for_developer
from app.lib.http.injection import Injected
from app.lib.http.rules import HTML_PAGE
from app.lib.mail.templates import MailTemplates

# What a mail brings along is shown in a sandboxed frame, which has this policy, too: nothing runs, nothing is loaded.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@get("/", name="mailbox", **HTML_PAGE)
async def list_mails(
    request: Request[Any, Any, Any],
    mailbox: Injected[DevelopmentMailbox],
    mail_templates: Injected[MailTemplates],
) -> Response[str]:
    return _page(request, mail_templates, "mailbox_page", mails=await mailbox.newest())


@get("/{mail_id:uuid}", name="mailbox_mail", **HTML_PAGE)
async def get_mail(
    request: Request[Any, Any, Any],
    mail_id: FromPath[UUID],
    mailbox: Injected[DevelopmentMailbox],
    mail_templates: Injected[MailTemplates],
) -> Response[str]:
    return _page(request, mail_templates, "mailbox_mail_page", opened=await mailbox.open(mail_id))


def _page(request: Request[Any, Any, Any], templates: MailTemplates, name: str, **variables: Any) -> Response[str]:
    variables["base_path"] = base_path_of(request.scope)
    return Response(templates.page(name, "en", variables), headers=_HEADERS)


mailbox_router = Router(
    "/dev/mail", route_handlers=[list_mails, get_mail], guards=[only_for_developer], include_in_schema=False
)

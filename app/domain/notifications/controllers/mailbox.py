"""``/dev/mail``: the mails of a development server. The app has these routes in development only."""

from typing import Any
from uuid import UUID

from litestar import Response, Router, get
from litestar.params import FromPath

from app.domain.notifications.services.mailbox import DevelopmentMailbox
from app.lib.http.rules import PRODUCES_ANYTHING
from app.lib.injection import Injected
from app.lib.mail.templates import MailTemplates
from app.lib.security.policies import public

_ANY_ACCEPT = {PRODUCES_ANYTHING: True}
# What a mail brings along is shown in a sandboxed frame, which has this policy, too: nothing runs, nothing is loaded.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    ),
    "Cache-Control": "no-store",
}


@get("/", name="mailbox", guards=[public], include_in_schema=False, opt=_ANY_ACCEPT)
async def show_mailbox(mailbox: Injected[DevelopmentMailbox], mail_templates: Injected[MailTemplates]) -> Response[str]:
    return _page(mail_templates, "mailbox_page", mails=await mailbox.newest())


@get("/{mail_id:uuid}", name="mailbox_mail", guards=[public], include_in_schema=False, opt=_ANY_ACCEPT)
async def show_mail(
    mail_id: FromPath[UUID], mailbox: Injected[DevelopmentMailbox], mail_templates: Injected[MailTemplates]
) -> Response[str]:
    return _page(mail_templates, "mailbox_mail_page", opened=await mailbox.open(mail_id))


def _page(templates: MailTemplates, name: str, **variables: Any) -> Response[str]:
    return Response(templates.page(name, "en", variables), media_type="text/html", headers=_HEADERS)


mailbox_router = Router("/dev/mail", route_handlers=[show_mailbox, show_mail])

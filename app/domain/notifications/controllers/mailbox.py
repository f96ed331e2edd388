"""``/dev/mail``: the mails of a development server. The app has these routes in development only."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from litestar import Request, Response, Router, get
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from app.config import Settings
from app.domain.notifications.services.mailbox import DevelopmentMailbox
from app.lib.addresses import is_loopback
from app.lib.errors import NotFound
from app.lib.http.base_path import base_path_of
from app.lib.http.injection import Injected
from app.lib.http.rules import HTML_PAGE
from app.lib.mail.templates import MailTemplates
from app.lib.security.policies import Connection

# What a mail brings along is shown in a sandboxed frame, which has this policy, too: nothing runs, nothing is loaded.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    ),
    "Cache-Control": "no-store",
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


def is_from_here(connection: Connection) -> bool:
    """Only clients on this machine read the mails. ``Host`` opens nothing; it is looked at all the same, because a page
    elsewhere could have its own name lead a browser here (DNS rebinding), or a tunnel strangers.
    """
    settings: Settings = connection.app.state.core.settings
    host = urlsplit(f"//{connection.headers.get('host', '')}").hostname or ""
    is_ours = is_loopback(host) or host == settings.address.host
    return is_ours and connection.client is not None and is_loopback(connection.client.host)


async def _only_from_here(connection: Connection, _handler: BaseRouteHandler) -> None:
    if not is_from_here(connection):
        raise NotFound


mailbox_router = Router(
    "/dev/mail", route_handlers=[list_mails, get_mail], guards=[_only_from_here], include_in_schema=False
)

"""``GET /``: where everything is. A page for browsers, JSON for all others."""

from typing import Annotated, Any

from litestar import Litestar, Request, Response, get
from litestar.exceptions import NoRouteMatchFoundException
from msgspec import Meta

from app.core import Core
from app.lib.domain import Link
from app.lib.errors import NotAcceptable
from app.lib.http.base_path import base_path_of
from app.lib.http.injection import Injected
from app.lib.http.language import accepted_languages
from app.lib.http.query import PASSED_ON
from app.lib.http.rules import JSON, PRODUCES_ANYTHING, quality
from app.lib.mail.pages import answer_page
from app.lib.mail.templates import MailTemplates
from app.lib.openapi.document import sends_headers
from app.lib.security.policies import public
from app.lib.wire.dto import Output

_HTML = "text/html"
_VARY = {"Vary": "Accept, Accept-Language"}


class HomeLink(Output):
    """Something that the service has."""

    name: Annotated[str, Meta(max_length=40, examples=["docs"])]
    title: Annotated[str, Meta(max_length=200, examples=["API documentation"])]
    href: Annotated[str, Meta(max_length=2048, examples=["/docs"])]


class Home(Output):
    """The service and where its parts are."""

    name: Annotated[str, Meta(max_length=60, examples=["Example"])]
    links: Annotated[list[HomeLink], Meta(max_length=50)]


@get(
    "/",
    name="home",
    guards=[public],
    opt={PRODUCES_ANYTHING: True, **PASSED_ON, **sends_headers(200, "Vary")},
    summary="Find the parts of the service",
    description="Where the documentation and the probes are. A browser gets the same as a page.",
    tags=["System"],
)
async def get_home(request: Request[Any, Any, Any], mail_templates: Injected[MailTemplates]) -> Response[Home]:
    core: Core = request.app.state.core
    accept = ",".join(request.headers.getall("accept", []))
    as_json, as_page = quality(accept, JSON), quality(accept, _HTML)
    locale = mail_templates.best_locale(*accepted_languages(request.headers.get("accept-language", "")))
    translate = mail_templates.translator(locale)
    links = [
        HomeLink(name=each.route, title=translate(each.title), href=base_path_of(request.scope) + path)
        for domain in reversed(core.domains)
        for each in domain.links
        if each.may_open is None or each.may_open(request.scope)
        if (path := _path_of(request.app, each)) is not None
    ]
    if as_page > as_json:
        page: Response[Any] = answer_page(request, mail_templates, "home_page", links=links)
        page.headers |= _VARY
        return page
    if not as_json:
        raise NotAcceptable
    return Response(Home(name=core.settings.product_name, links=links), headers=_VARY | {"Content-Language": locale})


def _path_of(app: Litestar, link: Link) -> str | None:
    """None where the app does not have the route: it depends on the settings."""
    try:
        return app.route_reverse(link.route, **link.parameters)
    except NoRouteMatchFoundException:
        return None

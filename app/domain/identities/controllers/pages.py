"""Where the browser comes back to from a provider, for people without a front end (``PUBLIC_APP_URL``)."""

from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter

from app.domain.identities.providers.registry import Providers
from app.lib.http.injection import Injected
from app.lib.http.rules import HTML_PAGE
from app.lib.mail.pages import answer_page
from app.lib.mail.templates import MailTemplates

PAGE = "/account/sign-in"


@get(f"{PAGE}/{{name:str}}", name="provider_page", include_in_schema=False, **HTML_PAGE)
async def show_provider_page(
    request: Request[Any, Any, Any],
    name: FromPath[str],
    providers: Injected[Providers],
    mail_templates: Injected[MailTemplates],
    error: Annotated[str, QueryParameter(max_length=200, description="Why the provider sent no code.")] = "",
) -> Response[str]:
    """Says how to go on. It shows nothing of its address, and changes nothing: the program that began goes on with it,
    by the secret that it kept.
    """
    provider = providers.named(name)
    return answer_page(request, mail_templates, "provider_page", provider=provider.title, is_refused=bool(error))

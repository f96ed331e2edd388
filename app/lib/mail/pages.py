"""Pages that links in mails lead to: plain HTML without a script, in the reader's language."""

from typing import Any

from litestar import Request, Response

from app.lib.http.language import accepted_languages
from app.lib.mail.templates import MailTemplates

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Vary": "Accept-Language",
}


def answer_page(
    request: Request[Any, Any, Any], templates: MailTemplates, name: str, *, status_code: int = 200, **variables: Any
) -> Response[str]:
    """A page of a template that extends ``page.html``. Its form may send to the service alone."""
    locale = templates.best_locale(*accepted_languages(request.headers.get("accept-language", "")))
    content = templates.page(name, locale, variables)
    headers = _HEADERS | {"Content-Language": locale}
    return Response(content, status_code=status_code, media_type="text/html", headers=headers)

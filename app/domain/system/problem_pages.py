"""A page for every problem code: what ``type`` in a problem resolves to."""

from html import escape
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import PathParameter

from app.lib.errors import NotFound
from app.lib.http.base_path import base_path_of
from app.lib.http.rules import HTML_PAGE
from app.lib.openapi.document import DocumentInfo

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }}
code {{ background: #8882; padding: 0.1em 0.3em; border-radius: 0.2em; }}
:root {{ color-scheme: light dark; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


_Slug = Annotated[
    str,
    PathParameter(
        description="A code, with hyphens.",
        schema_extra={"maxLength": 64, "pattern": "^[a-z]+(?:-[a-z]+)*$", "examples": ["validation-failed"]},
    ),
]


@get(
    "/problems/{slug:str}",
    name="problem",
    summary="Read about a problem",
    description="A page for people: what `type` in a problem refers to.",
    tags=["System"],
    **HTML_PAGE,
)
async def get_problem(request: Request[Any, Any, Any], slug: _Slug) -> Response[bytes]:
    codes = request.app.state.core.services.get(DocumentInfo).error_codes
    code = next((each for each in codes if each.type == f"/problems/{slug}"), None)
    if code is None:
        raise NotFound
    body = (
        f"<h1>{escape(code.title)}</h1>\n<p>Code: <code>{code.value}</code></p>\n<p>{escape(code.advice)}</p>\n"
        f'<p><a href="{base_path_of(request.scope)}/problems">All problems</a></p>'
    )
    return _page(code.title, body)


@get(
    "/problems",
    name="problems",
    summary="List all problems",
    description="A page for people, with every code that refusals have.",
    tags=["System"],
    **HTML_PAGE,
)
async def list_problems(request: Request[Any, Any, Any]) -> Response[bytes]:
    base_path = base_path_of(request.scope)
    rows = "\n".join(
        f'<li><a href="{base_path}{code.type}"><code>{code.value}</code></a>: {escape(code.title)}</li>'
        for code in request.app.state.core.services.get(DocumentInfo).error_codes
    )
    return _page("Problems", f"<h1>Problems</h1>\n<ul>\n{rows}\n</ul>")


def _page(title: str, body: str) -> Response[bytes]:
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "public, max-age=3600"}
    content = _PAGE.format(title=escape(title), body=body).encode()
    return Response(content, headers=headers)

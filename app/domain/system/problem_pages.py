"""A page for every problem code: what ``type`` in a problem resolves to."""

from collections.abc import Iterable
from html import escape

from litestar import Response

from app.lib.errors import ErrorCode

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


def problem_page(slug: str, codes: Iterable[ErrorCode]) -> bytes | None:
    """The page of a code, written with hyphens; None for an unknown one."""
    code = next((each for each in codes if each.type == f"/problems/{slug}"), None)
    if code is None:
        return None
    body = (
        f"<h1>{escape(code.title)}</h1>\n<p>Code: <code>{code.value}</code></p>\n<p>{escape(code.advice)}</p>\n"
        '<p><a href="/problems">All problems</a></p>'
    )
    return _PAGE.format(title=escape(code.title), body=body).encode()


def problem_index(codes: Iterable[ErrorCode]) -> bytes:
    """The list of all codes."""
    rows = "\n".join(
        f'<li><a href="{code.type}"><code>{code.value}</code></a>: {escape(code.title)}</li>' for code in codes
    )
    return _PAGE.format(title="Problems", body=f"<h1>Problems</h1>\n<ul>\n{rows}\n</ul>").encode()


def page_response(content: bytes) -> Response[bytes]:
    """An HTML page with its own security policy, for caches to keep an hour."""
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "public, max-age=3600"}
    return Response(content, media_type="text/html", headers=headers)

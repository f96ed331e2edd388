"""The documentation pages: Scalar at ``/docs`` and Swagger UI at ``/docs/swagger``.

Everything they load comes from ``static/`` (see ``static/VENDORED.md``), so that they work without an internet
connection and no third party learns who reads them. Their content security policy makes that binding.
"""

import gzip
import hashlib
import re
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from litestar import MediaType, Request, Response, Router, get
from litestar.params import FromPath
from litestar.types import Scope

from app.lib.errors import NotFound
from app.lib.http.base_path import base_path_of
from app.lib.http.query import PASSED_ON
from app.lib.http.responses import revalidated
from app.lib.http.rules import HTML_PAGE, PRODUCES_ANYTHING
from app.lib.security.policies import public

STATIC = Path(__file__).parent / "static"

MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

ASSETS = ("icon.svg", "scalar.js.gz", "scalar-init.js", "swagger-ui.css.gz", "swagger-ui.js.gz", "swagger-init.js")
"""The only files that are served. What is large is kept compressed, as nearly every client wants it."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; "  # both UIs write style elements and attributes as they run
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" type="image/svg+xml" href="{icon}">
{styles}</head>
<body>
<noscript>This page needs JavaScript. The plain document is at <a href="{openapi}">{openapi}</a>.</noscript>
<div id="docs" data-openapi="{openapi}" data-security-scheme="{security_scheme}"></div>
{scripts}</body>
</html>
"""

_NO_GZIP = re.compile(r"q=0(\.0{0,3})?")


class Asset:
    """A file of ``static/``, held in memory. Its public name changes with its content, so it may be cached for ever."""

    def __init__(self, file_name: str) -> None:
        stored = (STATIC / file_name).read_bytes()
        name = Path(file_name.removesuffix(".gz"))
        self.gzipped = stored if file_name.endswith(".gz") else gzip.compress(stored, mtime=0)
        self.digest = hashlib.sha256(stored).hexdigest()[:16]
        self.public_name = f"{name.stem}-{self.digest}{name.suffix}"
        self.url = f"/docs/assets/{self.public_name}"
        self.media_type = MEDIA_TYPES[name.suffix]

    @cached_property
    def plain(self) -> bytes:
        """Made only on demand, because browsers take the compressed form."""
        return gzip.decompress(self.gzipped)


def docs_router(*, title: str, security_scheme: str) -> Router:
    """The pages and their files.

    ``security_scheme`` is the document's scheme with the password flow, which the pages offer first.
    """
    assets = {name: Asset(name) for name in ASSETS}
    by_public_name = {asset.public_name: asset for asset in assets.values()}

    def page(scope: Scope, *, scripts: tuple[str, ...], styles: tuple[str, ...] = ()) -> Response[bytes]:
        base_path = base_path_of(scope)
        content = _PAGE.format(
            title=escape(title),
            security_scheme=escape(security_scheme),
            openapi=f"{base_path}/docs/openapi.json",
            icon=base_path + assets["icon.svg"].url,
            styles="".join(f'<link rel="stylesheet" href="{base_path}{assets[name].url}">\n' for name in styles),
            scripts="".join(f'<script src="{base_path}{assets[name].url}"></script>\n' for name in scripts),
        ).encode()
        return revalidated(content, MediaType.HTML, {"Content-Security-Policy": PAGE_POLICY})

    @get("/", name="docs", **HTML_PAGE)
    async def scalar_page(request: Request[Any, Any, Any]) -> Response[bytes]:
        return page(request.scope, scripts=("scalar.js.gz", "scalar-init.js"))

    @get("/swagger", name="docs_swagger", **HTML_PAGE)
    async def swagger_page(request: Request[Any, Any, Any]) -> Response[bytes]:
        scripts = ("swagger-ui.js.gz", "swagger-init.js")
        return page(request.scope, scripts=scripts, styles=("swagger-ui.css.gz",))

    @get(
        "/assets/{name:str}",
        name="docs_asset",
        guards=[public],
        opt={PRODUCES_ANYTHING: True, **PASSED_ON},
    )
    async def asset(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
        found = by_public_name.get(name)
        if found is None:
            raise NotFound
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
        if _accepts_gzip(request.headers.get("accept-encoding", "")):
            headers |= {"Content-Encoding": "gzip", "ETag": f'"{found.digest}-gzip"'}
            return Response(found.gzipped, media_type=found.media_type, headers=headers)
        return Response(found.plain, media_type=found.media_type, headers=headers | {"ETag": f'"{found.digest}"'})

    return Router("/docs", route_handlers=[scalar_page, swagger_page, asset], include_in_schema=False)


def _accepts_gzip(accept_encoding: str) -> bool:
    for item in accept_encoding.lower().split(","):
        coding, _, weight = item.partition(";")
        if coding.strip() == "gzip":
            return _NO_GZIP.fullmatch(weight.replace(" ", "")) is None
    return False

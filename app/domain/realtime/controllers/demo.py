"""``/demo/chat``: a page that shows channels. The app has these routes in development only."""

from pathlib import Path
from typing import Any

from litestar import Request, Response, Router, get
from litestar.params import FromPath

from app.lib.errors import NotFound
from app.lib.http.base_path import base_path_of
from app.lib.http.query import PASSED_ON
from app.lib.http.responses import revalidated
from app.lib.http.rules import PRODUCES_ANYTHING
from app.lib.security.policies import public

_STATIC = Path(__file__).parents[1] / "static"
_CLIENT = "lodestar-realtime.js"
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def demo_router() -> Router:
    """The page and the files that it loads, read once."""
    client = _STATIC / _CLIENT  # where a wheel puts it
    if not client.is_file():
        client = _STATIC.parents[3] / "clients" / "typescript" / "src" / _CLIENT
    paths = {"chat": _STATIC / "chat.html"} | {
        path.name: path for path in (_STATIC / "chat.css", _STATIC / "chat.js", client)
    }
    files = {name: (path.read_bytes(), _MEDIA_TYPES[path.suffix]) for name, path in paths.items()}

    @get(
        "/{file_name:str}",
        name="demo",
        guards=[public],
        include_in_schema=False,
        opt={PRODUCES_ANYTHING: True, **PASSED_ON},
    )
    async def demo_file(request: Request[Any, Any, Any], file_name: FromPath[str]) -> Response[bytes]:
        if file_name not in files:
            raise NotFound
        content, media_type = files[file_name]
        content = content.replace(b"{{base_path}}", base_path_of(request.scope).encode())
        return revalidated(content, media_type, {"Content-Security-Policy": _POLICY})

    return Router("/demo", route_handlers=[demo_file])

"""``/demo/chat``: a page that shows channels. The app has these routes in development only."""

import hashlib
from pathlib import Path

from litestar import Response, Router, get
from litestar.params import FromPath

from app.lib.errors import NotFound
from app.lib.http.rules import PRODUCES_ANYTHING
from app.lib.security.policies import public

_STATIC = Path(__file__).parents[1] / "static"
_CLIENT = "lodestar-realtime.js"
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_ANY_ACCEPT = {PRODUCES_ANYTHING: True}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class _File:
    def __init__(self, path: Path) -> None:
        self._content = path.read_bytes()
        self._media_type = _MEDIA_TYPES[path.suffix]
        self._tag = hashlib.sha256(self._content).hexdigest()[:16]

    def response(self) -> Response[bytes]:
        headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache", "ETag": f'"{self._tag}"'}
        return Response(self._content, media_type=self._media_type, headers=headers)


def demo_router() -> Router:
    """The page and the files that it loads, read once."""
    page = _File(_STATIC / "chat.html")
    files = {path.name: _File(path) for path in (_STATIC / "chat.css", _STATIC / "chat.js", _client())}

    @get("/chat", name="demo_chat", guards=[public], include_in_schema=False, opt=_ANY_ACCEPT)
    async def chat_page() -> Response[bytes]:
        return page.response()

    @get("/{name:str}", name="demo_file", guards=[public], include_in_schema=False, opt=_ANY_ACCEPT)
    async def demo_file(name: FromPath[str]) -> Response[bytes]:
        if name not in files:
            raise NotFound
        return files[name].response()

    return Router("/demo", route_handlers=[chat_page, demo_file])


def _client() -> Path:
    """The reference client: where a wheel puts it, or where it is in the source."""
    packaged = _STATIC / _CLIENT
    return packaged if packaged.is_file() else _STATIC.parents[3] / "clients" / "javascript" / _CLIENT

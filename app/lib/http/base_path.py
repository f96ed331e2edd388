"""The service below a path of its host, behind proxies that take the path off and behind those that do not."""

from collections.abc import Iterable

from litestar.routes import BaseRoute
from litestar.types import ASGIApp, Message, Receive, Scope, Send

_BASE_PATH = "base_path"


def base_path_of(scope: Scope) -> str:
    """What a path of the service begins with for the client, such as ``/team``; empty at the root of the host."""
    path: str = scope["state"].get(_BASE_PATH, "")
    return path


def below(path: str, app: ASGIApp, routes: Iterable[BaseRoute]) -> ASGIApp:
    """The application as it is reached below a path; as it is, when there is none."""
    return _Below(path, app, {route.path for route in routes}) if path else app


class _Below:
    """Takes the path off requests that have it, and puts it into the headers that lead somewhere.

    ASGI's ``root_path`` would be looked for anywhere in a path by Litestar's router. Where the service's own paths
    begin like the base path, a request can be meant either way: below ``/api``, ``/api/v1/users`` has lost it on its
    way, and ``/api/docs`` has not. Then it is taken off only if one of the service's paths may be left.
    """

    def __init__(self, path: str, app: ASGIApp, own_paths: set[str]) -> None:
        self._path, self._app, self._own_paths = path, app, own_paths
        self._roots = {_root(each) for each in own_paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"][_BASE_PATH] = self._path
        scope["root_path"] = ""
        if self._is_in(scope["path"]):
            scope["path"] = scope["path"].removeprefix(self._path) or "/"

        async def send_below(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [self._lead_below(*header) for header in message["headers"]]
            await send(message)

        await self._app(scope, receive, send_below)

    def _is_in(self, path: str) -> bool:
        rest = path.removeprefix(self._path)
        if rest == path or rest[:1] not in {"", "/"}:
            return False
        if _root(self._path) not in self._roots:
            return True
        return path.rstrip("/") not in self._own_paths and _root(rest) in self._roots

    def _lead_below(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        if name == b"location" and value.startswith(b"/"):
            return name, self._path.encode() + value
        return name, value.replace(b"</", f"<{self._path}/".encode()) if name == b"link" else value


def _root(path: str) -> str:
    return path.split("/", 2)[1] if path else ""

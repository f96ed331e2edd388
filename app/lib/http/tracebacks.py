"""In development: what went wrong inside, in the answer, for the developer who sits at this machine and no one else."""

import html
import re
from typing import Any

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from app.lib.http.developers import is_for_developer
from app.lib.http.heads import Headers, headers_by_name
from app.lib.http.problems import FAILURE
from app.lib.observability.logging import traceback_of

TRACE_HEADER = b"x-debug-trace"
"""With any value: the problem in the answer has a ``trace``. Browsers that ask for HTML get a page with it."""

_HTML = re.compile(rb"\btext/html\b(?!\s*;\s*q=0(?:\.0*)?(?![.0-9]))", re.IGNORECASE)
_PAGE = "<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1><p>{detail}</p><pre>{trace}</pre>"


class Tracebacks:
    """Around the application: shows unexpected errors, without secrets."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        may_show = scope["type"] == ScopeType.HTTP and scope["method"] != "HEAD"
        headers = headers_by_name(scope["headers"]) if may_show else {}
        as_page = TRACE_HEADER not in headers
        is_asked_for = not as_page or _HTML.search(headers.get(b"accept", b"")) is not None
        if not is_asked_for or not is_for_developer(scope):
            await self._app(scope, receive, send)
            return
        held: list[Any] = []

        async def answer(message: Any) -> None:
            failure = scope.get("state", {}).get(FAILURE)
            if failure is None:
                await send(message)
            elif message["type"] == "http.response.start":
                held.append(message)
            else:
                body = _with_trace(message["body"], failure, as_page=as_page)
                await send(_headed(held.pop(), body, as_page=as_page))
                await send(message | {"body": body})

        await self._app(scope, receive, answer)


def _with_trace(body: bytes, failure: Exception, *, as_page: bool) -> bytes:
    problem = msgspec.json.decode(body)
    trace = traceback_of(failure)
    if as_page:
        shown = {"title": problem["title"], "detail": f"Request {problem['request_id']}", "trace": trace}
        return _PAGE.format_map({name: html.escape(text) for name, text in shown.items()}).encode(errors="replace")
    return msgspec.json.encode({**problem, "trace": trace.splitlines()})


def _headed(start: Any, body: bytes, *, as_page: bool) -> Any:
    given: Headers = [each for each in start["headers"] if each[0] not in {b"content-length", b"cache-control"}]
    if as_page:
        given = [
            *(each for each in given if each[0] != b"content-type"),
            (b"content-type", b"text/html; charset=utf-8"),
        ]
    own: Headers = [(b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    return {**start, "headers": [*given, *own, (b"cross-origin-resource-policy", b"same-origin")]}

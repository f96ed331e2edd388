"""A span for each request, around the shell."""

from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.lib.http import problems
from app.lib.http.shell import route_of
from app.lib.observability.metrics import METHODS
from app.lib.observability.tracing import FAILURE, NAME, Attributes, Tracing, endpoint, span

_SERVER_ERROR = 500


def trace_requests(app: ASGIApp) -> ASGIApp:
    """Puts a span around each request where traces are configured, and else nothing. It is named after the route and
    has neither the path nor the query, which may hold what is no one else's business. Sockets have none: they last for
    hours.
    """

    async def traced(scope: Scope, receive: Receive, send: Send) -> None:
        if Tracing.active is None or scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        method, status = scope["method"] if scope["method"] in METHODS else "_OTHER", 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        attributes: Attributes = {"http.request.method": method, "url.scheme": scope["scheme"]}
        with span("server", method, attributes, _parent_of(scope["headers"])) as found:
            try:
                await app(scope, receive, watch)
            finally:
                found["request_id"] = scope["state"]["request_id"]
                if "path_template" in scope:
                    found["http.route"] = route_of(scope)
                    found[NAME] = f"{method} {found['http.route']}"
                if status:
                    found["http.response.status_code"] = status
                if status >= _SERVER_ERROR:
                    failure = scope["state"].get(problems.FAILURE)
                    found[FAILURE] = str(status) if failure is None else type(failure).__qualname__

    return traced if endpoint() else app


def _parent_of(headers: Any) -> str | None:
    """One ``traceparent`` and all of ``tracestate``; a request with several of the former has none."""
    parents = [value.strip() for name, value in headers if name == b"traceparent"]
    states = [value for name, value in headers if name == b"tracestate"]
    if len(parents) != 1 or b" " in parents[0]:
        return None
    return b" ".join([parents[0], b",".join(states)]).decode("latin-1")

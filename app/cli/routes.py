"""``app routes``: the table of routes and policies."""

from typing import Any

import click
from litestar import Litestar
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute, WebSocketRoute

from app.asgi import create_app, load_settings
from app.cli.process import with_throwaway_secret
from app.lib.cli.options import json_option, write_json, write_table
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import policy_of


@click.command()
@json_option
def routes(*, as_json: bool) -> None:
    """List the routes: method, path, operation, who may call it, limits of its own."""
    rows = describe_routes(create_app(with_throwaway_secret(load_settings()[0])))
    if as_json:
        write_json(rows)
        return
    write_table(
        ("METHOD", "PATH", "OPERATION", "POLICY", "LIMITS"),
        [(r["method"], r["path"], r["operation"] or "", r["policy"], ", ".join(r["limits"])) for r in rows],
    )


def describe_routes(app: Litestar) -> list[dict[str, Any]]:
    """By path and method; OPTIONS, which every path answers, is left out."""
    rows = [
        _describe(method, route.path_format or "/", handler)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if method != "OPTIONS"
    ]
    rows += [
        _describe("SOCKET", route.path_format, route.route_handler)
        for route in app.routes
        if isinstance(route, WebSocketRoute)
    ]
    return sorted(rows, key=lambda row: (row["path"], row["method"]))


def _describe(method: str, path: str, handler: BaseRouteHandler) -> dict[str, Any]:
    operation = getattr(handler, "operation_id", None)
    return {
        "method": str(method),
        "path": path,
        "operation": operation if isinstance(operation, str) else None,
        "policy": policy_of(handler).name,
        "limits": [guard.name for guard in handler.resolve_guards() if isinstance(guard, rate_limit)],
    }

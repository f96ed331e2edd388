"""The routes of the app, as tests walk them."""

import re
from typing import Any, NamedTuple

import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from app.asgi import create_app
from app.lib.db.url import DatabaseURL
from app.lib.http.rules import RequestRules, rules_of
from app.lib.security.policies import Policy, policy_of
from tests.support.apps import described, settings_for

APP = create_app(settings_for(DatabaseURL.parse("sqlite:///unused.db")))
"""It is never started: for its routes and its document."""
DOCUMENT = described(APP)
OPERATION_IDS = {operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()}

QUERIES = {"/api/v1/profiles": "?username=ada"}
"""Of routes that need one."""
PARAMETER = re.compile(r"\{(\w+):(\w+)\}")
ABSENT = "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b"


class Operation(NamedTuple):
    method: str
    path: str
    rules: RequestRules
    policy: Policy
    handler: Any

    def url(self, **values: str) -> str:
        """The path with its parameters filled, and its query: those not given name nothing that exists."""
        path = PARAMETER.sub(lambda found: values.get(found[1], "1" if found[2] == "int" else ABSENT), self.path)
        return path + QUERIES.get(self.path, "")


def needs(*names: str) -> pytest.MarkDecorator:
    """For a test about operations of a domain that can be taken away."""
    missing = sorted({*names} - OPERATION_IDS)
    return pytest.mark.skipif(bool(missing), reason=f"their domain is taken away: {', '.join(missing)}")


def operations(app: Litestar) -> list[Operation]:
    """Everything that is routed, OPTIONS aside."""
    return [
        Operation(str(method), route.path, rules_of(handler), policy_of(handler), handler)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in sorted(route.route_handler_map.items())
        if method != "OPTIONS"
    ]

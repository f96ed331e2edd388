"""The app starts only with routes that have one policy each."""

from typing import Any

import pytest
from litestar import WebSocket, get, websocket
from litestar.exceptions import ImproperlyConfiguredException

from app.asgi import DOMAINS, create_app
from app.lib.db.url import DatabaseURL
from app.lib.domain import Domain
from app.lib.security.policies import authenticated, permission, public
from tests.support.apps import settings_for
from tests.test_policies_walk import endpoints

SETTINGS = settings_for(DatabaseURL.parse("sqlite:///unused.db"))


@get("/no-policy")
async def without_policy() -> None: ...


@get("/two-policies", guards=[public, permission("users:read")])
async def with_two_policies() -> None: ...


@get("/inherits-none", guards=[])
async def with_empty_guards() -> None: ...


@websocket("/socket-without-policy")
async def socket_without_policy(socket: WebSocket[Any, Any, Any]) -> None: ...


@pytest.mark.asvs("8.2.1")
@pytest.mark.parametrize(
    "handler", [without_policy, with_two_policies, with_empty_guards, socket_without_policy], ids=str
)
@pytest.mark.parametrize("place", ["controllers", "root_handlers"])
def test_the_app_refuses_to_start_with_a_route_that_has_not_one_policy(handler: Any, place: str) -> None:
    members: dict[str, Any] = {place: (handler,)}
    careless = Domain(name="careless", **members)

    with pytest.raises(ImproperlyConfiguredException, match="polic"):
        create_app(SETTINGS, (*DOMAINS, careless))


@get("/with-policy", guards=[authenticated])
async def with_policy() -> None: ...


def test_the_app_starts_with_a_route_that_has_one() -> None:
    careful = Domain(name="careful", controllers=(with_policy,))

    app = create_app(SETTINGS, (*DOMAINS, careful))
    walked = {endpoint.path: repr(endpoint.policy) for endpoint in endpoints(app)}

    assert walked["/api/v1/with-policy"] == "authenticated"

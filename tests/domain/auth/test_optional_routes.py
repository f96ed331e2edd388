"""Routes that anybody may call, and that know the caller when there is a token [ASVS 8.2.1]."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar, Request, get
from litestar.exceptions import ImproperlyConfiguredException

from app.asgi import create_app
from app.lib.http.rules import declare_rules
from app.lib.security.policies import declare_policies, find_principal, optional
from tests.domain.auth.steps import bearer
from tests.support.apps import Deployment, client_of, running, settings_for
from tests.support.people import People

pytestmark = pytest.mark.asvs("8.3.1")


@get("/api/v1/greeting", guards=[optional])
async def greeting(request: Request[Any, Any, Any]) -> dict[str, str | None]:
    principal = find_principal(request)
    return {"user_id": str(principal.user_id) if principal else None}


@pytest_asyncio.fixture
async def greeter(deployment: Deployment) -> AsyncIterator[Litestar]:
    """The app with a route that reads credentials where there are some."""
    app = create_app(settings_for(deployment.url))
    app.register(greeting)
    declare_policies(app)
    declare_rules(app)
    async with running(app):
        yield app


async def call(app: Litestar, headers: Any = None) -> httpx.Response:
    async with client_of(app) as client:
        return await client.get("/api/v1/greeting", headers=headers)


async def test_it_knows_who_calls(greeter: Litestar) -> None:
    person = await People(greeter).create()

    assert (await call(greeter)).json() == {"user_id": None}
    assert (await call(greeter, person.headers)).json() == {"user_id": str(person.id)}


async def test_a_bad_token_is_refused_and_never_anonymous(greeter: Litestar) -> None:
    people = People(greeter)
    person, signed_out = await people.create(), await people.create()
    async with client_of(greeter) as client:
        await client.post("/api/v1/auth/logout", headers=signed_out.headers)

    for headers in (
        bearer("x.y.z"),
        bearer(person.refresh_token),
        signed_out.headers,
        {"Authorization": ""},
        {"Authorization": "Basic Og=="},
        {"Authorization": person.access_token},
        [("Authorization", f"Bearer {person.access_token}"), ("Authorization", "Basic Og==")],
    ):
        response = await call(greeter, headers)
        assert response.status_code == 401
        assert response.json()["code"] == "invalid_token"
        assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_a_route_without_a_policy_is_refused_at_start(deployment: Deployment) -> None:
    @get("/api/v1/forgotten")
    async def forgotten() -> None: ...

    app = create_app(settings_for(deployment.url))
    app.register(forgotten)

    with pytest.raises(ImproperlyConfiguredException, match="no policy"):
        declare_policies(app)

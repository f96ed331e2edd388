"""``PRODUCT_NAME``: wherever people read the name of the service, it is this one."""

from typing import Any

import httpx
from litestar import Litestar

from app.config import Settings
from app.domain.identities.providers.registry import Providers
from app.domain.realtime.controllers.document import ASYNCAPI_PATH
from app.lib.text import product_token
from app.lib.webhooks.sender import WebhookSender
from tests.support.apps import Deployment, client_of, core_of
from tests.support.people import PASSWORD, People

NAME = "Café Nord"
PROVIDER = '[{"name": "github", "kind": "github", "client_id": "us", "client_secret": "ours"}]'


async def test_the_service_is_called_as_its_operator_says(deployment: Deployment) -> None:
    app = await deployment.start(
        PRODUCT_NAME=NAME,
        API_CONTACT_URL="https://nord.example/help",
        API_CONTACT_EMAIL="api@nord.example",
        OIDC_PROVIDERS=PROVIDER,
    )
    async with client_of(app) as client:
        document = (await client.get("/docs/openapi.json")).json()
        answers = [await client.get(path, headers={"Accept": "text/html"}) for path in ("/", "/docs", "/docs/swagger")]
        realtime = (await client.get(ASYNCAPI_PATH)).json()
        feed = await client.get("/api/v1/feed.atom")

    assert document["info"]["title"] == NAME
    assert document["info"]["contact"] == {
        "name": NAME,
        "url": "https://nord.example/help",
        "email": "api@nord.example",
    }
    assert "Lodestar" not in str(document)
    assert realtime["info"]["title"] == f"{NAME} realtime"
    for answer in (*answers, feed):
        assert NAME in answer.text
        assert "Lodestar" not in answer.text
    assert user_agents(app) == {"Cafe-Nord-Webhooks", "Cafe-Nord"}
    async with People(app).client(await People(app).create()) as calls:
        await check_what_users_see(calls)


async def check_what_users_see(calls: httpx.AsyncClient) -> None:
    enrolled = await calls.post("/api/v1/users/me/mfa/totp")
    assert f"issuer={'Caf%C3%A9%20Nord'}" in enrolled.json()["otpauth_url"]
    taken = await calls.patch("/api/v1/users/me", json={"username": "Cafe.Nord"})
    assert taken.status_code == 200  # is spelled otherwise
    other = product_token(Settings().product_name).replace("-", "")
    assert (await calls.patch("/api/v1/users/me", json={"username": other})).status_code == 200
    weak = await calls.post(
        "/api/v1/users/me/password", json={"current_password": PASSWORD, "new_password": "9 cafénord 4 all"}
    )
    assert weak.json()["errors"][0]["detail"] == "Must not contain the name of this service."


async def test_a_name_of_words_is_reserved_in_one(deployment: Deployment) -> None:
    app = await deployment.start(PRODUCT_NAME="Polar Star")
    async with People(app).client(await People(app).create()) as calls:
        for name in ("polarstar", "Polar_Star"):
            assert (await calls.patch("/api/v1/users/me", json={"username": name})).status_code == 409


def user_agents(app: Litestar) -> set[Any]:
    services = core_of(app).services
    provider: Any = services.get(Providers)["github"]
    sender: Any = services.get(WebhookSender)
    return {sender._user_agent, provider._client._headers["User-Agent"]}


def test_any_name_makes_a_token() -> None:
    assert [product_token(each) for each in ("Acme", "A & B <Shop>", "Ünïcode 2", "日本")] == [
        "Acme",
        "A-B-Shop",
        "Unicode-2",
        "Service",
    ]

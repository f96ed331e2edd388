"""A provider that is down, slow or hostile is 503 for its own people, and nothing for all others."""

from collections.abc import Callable
from typing import Any

import flask
import httpx
import pytest
from litestar import Litestar

from app.domain.accounts.models import User
from app.domain.identities.providers.openid import OpenIDProvider
from app.domain.identities.providers.registry import Providers
from tests.domain.auth.steps import sign_in
from tests.domain.identities.provider import IdentityProvider
from tests.domain.identities.steps import DOWN, PROVIDERS, WRONG_ANSWER, Journey, refusal, rows
from tests.support.apps import core_of
from tests.support.people import People

ADA, EMAIL = "ada-at-acme", "ada@example.com"
DISCOVERY, TOKEN, KEYS = "/.well-known/openid-configuration", "/oauth2/token", "/jwks"

Answer = Callable[[IdentityProvider], Any]
ANSWERS: dict[str, Answer] = {
    "an error": lambda _: flask.Response("{}", 500),
    "no JSON": lambda _: flask.Response("<html>", 200),
    "another JSON": lambda _: flask.Response("[1]", 200),
    "an endless body": lambda _: flask.Response((b" " * 65_536 for _ in iter(int, 1)), 200),
    "a redirect": lambda _: flask.redirect("http://169.254.169.254/latest/meta-data"),
    "silence": lambda provider: provider.hang(),
}


@pytest.fixture
def ada(journey: Journey) -> str:
    return journey.person(ADA, EMAIL)


@pytest.fixture
def impatient(app: Litestar, monkeypatch: pytest.MonkeyPatch) -> OpenIDProvider:
    """The provider, for whom no one waits long."""
    provider = core_of(app).services.get(Providers)["acme"]
    assert isinstance(provider, OpenIDProvider)
    monkeypatch.setattr(provider._client, "seconds", 0.5)
    return provider


@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_provider_that_cannot_be_discovered(
    client: httpx.AsyncClient, journey: Journey, people: People, impatient: OpenIDProvider, answer: str
) -> None:
    person = await people.create()
    journey.provider.answers[DISCOVERY] = lambda: ANSWERS[answer](journey.provider)

    refused = await client.post(f"{PROVIDERS}/acme/authorize")

    assert refusal(refused) == DOWN
    assert "retry-after" in refused.headers
    asked = journey.provider.asked.count(DISCOVERY)
    assert refusal(await client.post(f"{PROVIDERS}/acme/authorize")) == DOWN
    assert journey.provider.asked.count(DISCOVERY) == asked, "it is asked again at once"
    assert (await client.post(f"{PROVIDERS}/hub/authorize")).status_code == 200
    assert (await sign_in(client, person.email)).status_code == 200
    journey.provider.answers.clear()
    impatient._metadata._failed_at -= 6
    assert (await client.post(f"{PROVIDERS}/acme/authorize")).status_code == 200


@pytest.mark.parametrize("path", [TOKEN, KEYS])
@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_provider_that_fails_on_the_way(
    app: Litestar, journey: Journey, ada: str, impatient: OpenIDProvider, path: str, answer: str
) -> None:
    journey.provider.answers[path] = lambda: ANSWERS[answer](journey.provider)

    assert refusal(await journey.sign_in(ada)) == DOWN
    assert await rows(app, User) == []


@pytest.mark.asvs("10.5.3")
@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://169.254.169.254/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"id_token_signing_alg_values_supported": ["HS256", "none"]},
        {"jwks_uri": None},
    ],
)
async def test_metadata_that_would_mislead_is_refused(
    app: Litestar, journey: Journey, ada: str, wrong: dict[str, Any]
) -> None:
    issuer = journey.provider.issuer
    honest = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth2/authorize",
        "token_endpoint": f"{issuer}{TOKEN}",
        "jwks_uri": f"{issuer}{KEYS}",
    }
    journey.provider.answers[DISCOVERY] = lambda: {**honest, **wrong}

    async with journey.people.client() as client:
        begun = await client.post(f"{PROVIDERS}/acme/authorize")
    if begun.status_code == 200:
        begun = await journey.finish(journey.go(begun.json(), ada))

    assert refusal(begun) == DOWN
    assert await rows(app, User) == []


async def test_a_wrong_secret_is_the_operators_matter(
    journey: Journey, ada: str, caplog: pytest.LogCaptureFixture
) -> None:
    journey.provider.answers[TOKEN] = lambda: ({"error": "invalid_client"}, 401)

    assert refusal(await journey.sign_in(ada)) == DOWN
    assert "client_secret" in caplog.text
    assert journey.provider.client_secret not in caplog.text
    journey.provider.answers[TOKEN] = lambda: ({"error": "invalid_grant"}, 400)
    assert refusal(await journey.sign_in(ada)) == WRONG_ANSWER

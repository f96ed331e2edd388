"""A provider that is down, slow or hostile is 503 for its own people, and nothing for all others."""

from collections.abc import Callable
from functools import partial
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


MISLEADING: list[dict[str, Any]] = [
    {"issuer": "https://evil.example"},
    {"token_endpoint": "http://169.254.169.254/token"},
    {"token_endpoint": "file:///etc/passwd"},
    {"id_token_signing_alg_values_supported": ["HS256", "none"]},
    {"jwks_uri": None},
]
NO_PAGES = ("javascript:alert(1)//", "data:text/html,x", "http://phisher.example/authorize", "//phisher.example", "")
"""Where no browser must be sent."""


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


async def test_a_provider_that_cannot_be_discovered(
    client: httpx.AsyncClient, journey: Journey, people: People, impatient: OpenIDProvider
) -> None:
    answers = {}
    for name, answer in ANSWERS.items():
        impatient._metadata._failed_at = float("-inf")
        journey.provider.answers[DISCOVERY] = partial(answer, journey.provider)
        answers[name] = refusal(await client.post(f"{PROVIDERS}/acme/authorize"))
    assert answers == dict.fromkeys(ANSWERS, DOWN)

    asked = journey.provider.asked.count(DISCOVERY)
    refused = await client.post(f"{PROVIDERS}/acme/authorize")
    assert (refusal(refused), "retry-after" in refused.headers) == (DOWN, True)
    assert journey.provider.asked.count(DISCOVERY) == asked, "it is asked again at once"
    assert (await client.post(f"{PROVIDERS}/hub/authorize")).status_code == 200
    assert (await sign_in(client, (await people.create()).email)).status_code == 200
    journey.provider.answers.clear()
    impatient._metadata._failed_at -= 6
    assert (await client.post(f"{PROVIDERS}/acme/authorize")).status_code == 200


async def test_a_provider_that_fails_on_the_way(
    app: Litestar, journey: Journey, ada: str, impatient: OpenIDProvider
) -> None:
    answers = {}
    for name, answer in ANSWERS.items():
        for path in (TOKEN, KEYS):
            impatient._keys._failed_at = float("-inf")
            journey.provider.answers = {path: partial(answer, journey.provider)}
            answers[path, name] = refusal(await journey.sign_in(ada))

    assert answers == dict.fromkeys(answers, DOWN)
    assert await rows(app, User) == []


@pytest.mark.asvs("10.5.3")
async def test_metadata_that_would_mislead_is_refused(
    app: Litestar, journey: Journey, ada: str, impatient: OpenIDProvider
) -> None:
    issuer = journey.provider.issuer
    honest = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth2/authorize",
        "token_endpoint": f"{issuer}{TOKEN}",
        "jwks_uri": f"{issuer}{KEYS}",
    }
    for wrong in [*MISLEADING, *[{"authorization_endpoint": each} for each in NO_PAGES]]:
        impatient._metadata._kept, impatient._metadata._failed_at = None, float("-inf")
        journey.provider.answers[DISCOVERY] = (honest | wrong).copy
        async with journey.people.client() as client:
            begun = await client.post(f"{PROVIDERS}/acme/authorize")
        if begun.status_code == 200:
            assert "authorization_endpoint" not in wrong
            begun = await journey.finish(journey.go(begun.json(), ada))
        assert refusal(begun) == DOWN, wrong

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

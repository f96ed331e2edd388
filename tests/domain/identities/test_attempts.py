"""The way there and back belongs to one browser, one provider and one purpose, once."""

import asyncio
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import time_machine
from litestar import Litestar

from app.domain.accounts.models import User
from app.domain.identities.models import Identity, ProviderAttempt
from app.lib.clock import utc_now
from tests.domain.auth.steps import audited
from tests.domain.identities.provider import REDIRECTS, IdentityProvider
from tests.domain.identities.steps import BEGIN_AGAIN, PROVIDERS, WRONG_ANSWER, Journey, refusal, rows
from tests.support.apps import Deployment, client_of
from tests.support.jobs import run_job
from tests.support.people import People

ADA, EMAIL = "ada-at-acme", "ada@example.com"


@pytest.fixture
def ada(journey: Journey) -> str:
    return journey.person(ADA, EMAIL)


@pytest.mark.asvs("10.1.2", "10.2.1", "10.2.3")
async def test_the_browser_is_sent_with_pkce_state_and_nonce(app: Litestar, journey: Journey) -> None:
    first, second = [await journey.begin() for _ in range(2)]

    sent = parse_qs(urlsplit(first["authorization_url"]).query)
    assert first["authorization_url"].startswith(f"{journey.provider.issuer}/oauth2/authorize?")
    assert (sent["response_type"], sent["code_challenge_method"]) == (["code"], ["S256"])
    assert (sent["scope"], sent["redirect_uri"]) == (["openid email profile"], [first["redirect_uri"]])
    assert first["redirect_uri"] == REDIRECTS[0]
    again = parse_qs(urlsplit(second["authorization_url"]).query)
    for name in ("state", "nonce", "code_challenge"):
        assert len(sent[name][0]) >= 43
        assert sent[name] != again[name]
    assert first["secret"] not in first["authorization_url"]
    kept = repr(await rows(app, ProviderAttempt))
    assert not [secret for secret in (first["state"], first["secret"], sent["nonce"][0]) if secret in kept]


@pytest.mark.asvs("10.1.2", "10.5.1")
async def test_an_answer_is_good_once(app: Litestar, journey: Journey, ada: str) -> None:
    answer = journey.go(await journey.begin(), ada)

    answers = await asyncio.gather(*[journey.finish(answer) for _ in range(4)])

    assert sorted(each.status_code for each in answers) == [200, 422, 422, 422]
    assert {refusal(each) for each in answers if each.status_code == 422} == {BEGIN_AGAIN}
    assert refusal(await journey.finish(answer)) == BEGIN_AGAIN
    assert await rows(app, ProviderAttempt) == []
    assert len(await audited(app, "sign_in.failed")) == 4


@pytest.mark.asvs("10.2.1", "10.1.2")
async def test_the_answer_of_another_browser_is_none(app: Litestar, journey: Journey, ada: str) -> None:
    """Neither does a stranger's answer sign anyone in (login CSRF), nor does it use up the attempt of its owner."""
    mine, theirs = await journey.begin(), await journey.begin()
    answer = journey.go(mine, ada)

    for wrong in (
        {"secret": theirs["secret"]},
        {"state": theirs["state"]},
        {"secret": answer["state"]},
        {"state": "x"},
    ):
        assert refusal(await journey.finish({**answer, **wrong})) == BEGIN_AGAIN

    assert await rows(app, User) == []
    assert (await journey.finish(answer)).status_code == 200


@pytest.mark.asvs("10.2.1")
async def test_a_stolen_code_is_worth_nothing_in_another_attempt(app: Litestar, journey: Journey, ada: str) -> None:
    """PKCE: the provider has seen another challenge."""
    stolen = journey.go(await journey.begin(), ada)["code"]
    own = await journey.begin()

    response = await journey.finish({"state": own["state"], "secret": own["secret"], "code": stolen})

    assert refusal(response) == WRONG_ANSWER
    assert await rows(app, User) == []


@pytest.mark.asvs("10.2.2")
async def test_the_answer_of_another_provider_is_refused(app: Litestar, journey: Journey, ada: str) -> None:
    """Each has its own address to come back to, an attempt is for one of them, and the issuer is looked at."""
    answer = journey.go(await journey.begin("acme"), ada)
    assert refusal(await journey.finish(answer, "other")) == BEGIN_AGAIN
    assert refusal(await journey.finish(answer, "acme")) == BEGIN_AGAIN

    wrong = journey.go(await journey.begin(), ada) | {"iss": journey.provider.other_issuer}
    assert refusal(await journey.finish(wrong)) == WRONG_ANSWER
    right = journey.go(await journey.begin(), ada) | {"iss": journey.provider.issuer}
    assert (await journey.finish(right)).status_code == 200


@pytest.mark.asvs("10.1.2")
async def test_an_attempt_has_one_purpose_and_one_user(
    app: Litestar, journey: Journey, people: People, ada: str
) -> None:
    person, other = await people.create(is_verified=True), await people.create(is_verified=True)

    for begun_by, finished_by in ((None, person), (person, None), (person, other)):
        answer = journey.go(await journey.begin(by=begun_by), ada)
        assert refusal(await journey.finish(answer, by=finished_by)) == BEGIN_AGAIN

    assert await rows(app, Identity) == []


async def test_an_attempt_ends_after_ten_minutes(app: Litestar, journey: Journey, ada: str) -> None:
    answer = journey.go(await journey.begin(), ada)
    fresh = await journey.begin()

    with time_machine.travel(utc_now() + timedelta(minutes=10, seconds=1)):
        assert refusal(await journey.finish(answer)) == BEGIN_AGAIN
        await run_job(app, "identities.purge")

    assert fresh["expires_at"] > utc_now().isoformat()
    assert await rows(app, ProviderAttempt) == []


@pytest.mark.asvs("10.2.2")
async def test_an_unknown_provider_is_not_found(client: httpx.AsyncClient, journey: Journey, ada: str) -> None:
    answer = journey.go(await journey.begin(), ada)

    assert (await client.post(f"{PROVIDERS}/nowhere/authorize")).status_code == 404
    assert refusal(await journey.finish(answer, "nowhere")) == (404, "not_found")


async def test_a_client_cannot_choose_where_the_browser_comes_back_to(
    client: httpx.AsyncClient, journey: Journey
) -> None:
    for name in ("redirect_uri", "next", "return_to"):
        response = await client.post(f"{PROVIDERS}/acme/authorize", params={name: "https://evil.example"})
        assert refusal(response)[0] == 400


async def test_providers_are_listed_without_their_settings(client: httpx.AsyncClient, journey: Journey) -> None:
    response = await client.get(PROVIDERS)

    assert [tuple(each.values()) for each in response.json()["items"]] == [
        ("acme", "Acme & Sons"),
        ("other", "Other"),
        ("hub", "GitHub"),
    ]
    assert journey.provider.client_id not in response.text


@pytest.mark.asvs("6.3.1")
@pytest.mark.usefixtures("clock")
async def test_attempts_of_an_address_are_limited(deployment: Deployment, server: IdentityProvider) -> None:
    app = await deployment.start(OIDC_PROVIDERS=server.configs())
    async with client_of(app) as client:
        answers = [await client.post(f"{PROVIDERS}/hub/authorize") for _ in range(31)]

    assert [each.status_code for each in answers[29:]] == [200, 429]
    assert len(await rows(app, ProviderAttempt)) == 30

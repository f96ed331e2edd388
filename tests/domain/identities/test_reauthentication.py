"""Users without a password show at their provider again who they are, before sensitive acts."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from joserfc import jwt

from app.lib.clock import utc_now
from app.lib.security.passwords import no_password
from tests.domain.auth.factors import enroll
from tests.domain.identities.steps import BEGIN_AGAIN, PROVIDERS, WRONG_ANSWER, Journey, refusal
from tests.support.apps import client_of
from tests.support.people import People, Person

EMAIL, KEYS = "ada@example.com", "/api/v1/users/me/api-keys"
NO_PROOF = (409, "invalid_state")


@pytest_asyncio.fixture
async def ada(people: People, journey: Journey) -> Person:
    """She has no password, an identity, and a session that is not fresh."""
    person = await people.create(email=EMAIL, is_verified=True, password_hash=no_password())
    journey.person("ada")
    assert (await journey.link("ada", person)).status_code == 200
    return await people.sign_in(person.id, EMAIL, at=utc_now() - timedelta(minutes=11))


class Again:
    """The way to the provider and back for a session."""

    def __init__(self, journey: Journey, person: Person) -> None:
        self.journey, self.client = journey, client_of(journey.app, headers=person.headers)

    async def begin(self, name: str = "acme") -> httpx.Response:
        return await self.client.post(f"{PROVIDERS}/{name}/reauthenticate/authorize")

    async def finish(self, answer: dict[str, Any], name: str = "acme", **more: str) -> httpx.Response:
        return await self.client.post(f"{PROVIDERS}/{name}/reauthenticate", json={**answer, **more})

    async def show(self, subject: str = "ada", **more: str) -> httpx.Response:
        return await self.finish(self.journey.go((await self.begin()).json(), subject), **more)

    async def can_act(self) -> bool:
        response = await self.client.post(KEYS, json={"name": "Nightly", "scopes": []})
        assert response.status_code == 201 or refusal(response) == (403, "reauth_required")
        return response.status_code == 201


@pytest.mark.asvs("7.5.1", "7.5.3", "6.8.4")
async def test_who_has_no_password_shows_at_the_provider_who_they_are(journey: Journey, ada: Person) -> None:
    again = Again(journey, ada)
    assert not await again.can_act()

    begun = (await again.begin()).json()
    shown = await again.finish(journey.go(begun, "ada"))

    assert "max_age=0" in begun["authorization_url"]
    assert (shown.status_code, shown.json()["current"]) == (200, True)
    assert await again.can_act()


def _with(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda claims: {name: value for name, value in {**claims, **values}.items() if value != "gone"}


@pytest.mark.asvs("7.5.3", "6.8.4")
@pytest.mark.parametrize("minutes", ["gone", True, "0", -1])
async def test_a_session_that_is_open_at_the_provider_is_no_proof(journey: Journey, ada: Person, minutes: Any) -> None:
    """``auth_time`` is missing, no number, or of a minute before."""
    again, key = Again(journey, ada), journey.provider.key
    changed = _with(auth_time=int(utc_now().timestamp()) - 60 if minutes == -1 else minutes)
    journey.provider.forge = lambda claims: jwt.encode({"alg": "RS256", "kid": key.kid}, changed(claims), key)

    response = await again.show()

    assert refusal(response) in {NO_PROOF, WRONG_ANSWER}
    assert not await again.can_act()


@pytest.mark.asvs("7.5.3", "6.8.1")
async def test_a_thief_of_a_session_does_not_get_further_by_their_own_identity(
    journey: Journey, people: People, ada: Person
) -> None:
    """Nor by an answer to an attempt to sign in or to link, or of another session."""
    again, fresh = Again(journey, ada), await people.sign_in(ada.id, EMAIL)
    journey.person("thief")
    begun = await journey.begin()
    linking = await journey.begin(by=fresh)

    assert refusal(await again.show("thief")) == WRONG_ANSWER
    assert refusal(await again.finish(journey.go(begun, "ada"))) == BEGIN_AGAIN
    assert refusal(await again.finish(journey.go(linking, "ada"))) == BEGIN_AGAIN
    others = (await Again(journey, fresh).begin()).json()
    assert refusal(await again.finish(journey.go(others, "ada"))) == BEGIN_AGAIN
    own = (await again.begin()).json()
    assert refusal(await journey.finish(journey.go(own, "ada"))) == BEGIN_AGAIN, "it signs no one in"
    assert refusal(await again.begin("hub")) == NO_PROOF
    assert (await again.begin("none")).status_code == 404
    assert not await again.can_act()


@pytest.mark.asvs("7.5.3", "6.3.3")
async def test_who_has_a_second_factor_needs_it_as_well(journey: Journey, people: People, ada: Person) -> None:
    again, fresh = Again(journey, ada), await people.sign_in(ada.id, EMAIL)
    async with people.client(fresh) as client:
        app = await enroll(client, fresh)
    late = await people.sign_in(ada.id, EMAIL, at=utc_now() - timedelta(minutes=11))
    again = Again(journey, late)

    assert refusal(await again.show()) == (403, "mfa_required")
    assert refusal(await again.show(mfa_code="000000")) == (422, "validation_failed /mfa_code")
    assert not await again.can_act()
    assert (await again.show(mfa_code=app.code())).status_code == 200
    assert await again.can_act()

"""GitHub's flow, against a server of the tests that has its paths: OAuth 2 is that of a package, the API is ours."""

from typing import Any

import httpx
import pytest
from litestar import Litestar

from app.domain.identities.models import Identity
from tests.domain.auth.steps import whoami
from tests.domain.identities.steps import DOWN, WRONG_ANSWER, Journey, refusal, rows

EMAIL = "ada@example.com"
PRIMARY = {"email": EMAIL, "primary": True, "verified": True}
OTHER = {"email": "other@example.com", "primary": False, "verified": True}


async def test_the_primary_address_and_the_number_of_the_account_count(
    app: Litestar, client: httpx.AsyncClient, journey: Journey
) -> None:
    journey.person("4711", login="ada", name="Ada Lovelace", emails=[OTHER, PRIMARY])

    first = await journey.sign_in("4711", "hub")
    journey.person("4711", login="lovelace", emails=[])
    again = await journey.sign_in("4711", "hub")

    people = [(await whoami(client, each.json()["access_token"])).json() for each in (first, again)]
    assert {each["id"] for each in people} == {people[0]["id"]}
    assert (people[0]["email"], people[0]["name"]) == (EMAIL, "Ada Lovelace")
    [identity] = await rows(app, Identity)
    assert (identity.issuer, identity.subject) == (journey.provider.other_issuer, "4711")


@pytest.mark.asvs("6.8.1")
async def test_without_a_confirmed_primary_address_no_one_is_signed_in(journey: Journey) -> None:
    lists: list[list[Any]] = [[], [OTHER], [PRIMARY | {"verified": False}, OTHER], [PRIMARY | {"email": None}], [7]]
    for emails in lists:
        journey.person("4711", emails=emails)
        assert refusal(await journey.sign_in("4711", "hub")) == (403, "email_unverified"), emails


async def test_its_errors_come_with_200(journey: Journey) -> None:
    journey.person("4711", emails=[PRIMARY])
    errors = {"bad_verification_code": WRONG_ANSWER, "incorrect_client_credentials": DOWN}
    for error, expected in errors.items():
        answer = {"error": error}
        journey.provider.answers["/login/oauth/access_token"] = answer.copy
        assert refusal(await journey.sign_in("4711", "hub")) == expected


@pytest.mark.asvs("10.2.2")
async def test_the_issuer_that_came_back_is_looked_at(journey: Journey) -> None:
    journey.person("4711", emails=[PRIMARY])
    for iss, status in ((journey.provider.issuer, 422), (f"{journey.provider.other_issuer}/login/oauth", 200)):
        answer = journey.go(await journey.begin("hub"), "4711") | {"iss": iss}
        assert (await journey.finish(answer, "hub")).status_code == status

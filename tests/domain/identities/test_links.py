"""Users link identities to their accounts, and take them away, but never the last way in."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from app.domain.identities.models import Identity
from app.lib.clock import utc_now
from app.lib.security.passwords import no_password
from tests.domain.auth.passkeys import PASSKEYS, enrol
from tests.domain.auth.steps import CHANGE, ME, MY_EMAIL, OTHER_PASSWORD, REVERT, audited, user_row
from tests.domain.identities.steps import MINE, Journey, refusal, rows
from tests.support.authenticators import Authenticator
from tests.support.links import newest, received
from tests.support.people import People, Person

EMAIL = "ada@example.com"


@pytest_asyncio.fixture
async def ada(people: People) -> Person:
    return await people.create(email=EMAIL, is_verified=True)


async def unlink(people: People, person: Person, identity_id: object) -> httpx.Response:
    async with people.client(person) as client:
        return await client.delete(f"{MINE}/{identity_id}")


async def test_an_identity_is_linked_used_and_taken_away(
    app: Litestar, journey: Journey, people: People, ada: Person
) -> None:
    journey.person("ada-at-acme", "elsewhere@example.com", verified=False)
    other = await people.sign_in(ada.id, EMAIL)

    linked = await journey.link("ada-at-acme", ada)

    assert linked.status_code == 200
    assert (linked.json()["provider"], linked.json()["email"]) == ("acme", "elsewhere@example.com")
    assert (await journey.sign_in("ada-at-acme")).status_code == 200
    assert (await unlink(people, ada, linked.json()["id"])).status_code == 204
    assert refusal(await journey.sign_in("ada-at-acme")) == (403, "email_unverified")
    assert (await unlink(people, ada, linked.json()["id"])).status_code == 404
    async with people.client(other) as client:
        assert (await client.get(ME)).status_code == 401
    mails = [(mail.kind, mail.to) for mail in await received(app)]
    assert mails == [("identity_linked", EMAIL), ("identity_unlinked", EMAIL)]
    assert len(await audited(app, "identity.unlinked")) == 1


async def test_linking_and_unlinking_need_a_recent_sign_in(journey: Journey, people: People, ada: Person) -> None:
    late = await people.sign_in(ada.id, EMAIL, at=utc_now() - timedelta(minutes=11))

    async with people.client(late) as client:
        answers = [
            await client.post(f"{MINE}/authorize", json={"provider": "acme"}),
            await client.delete(f"{MINE}/{uuid4()}"),
        ]

    assert [refusal(each) for each in answers] == [(403, "reauth_required")] * 2


async def test_an_identity_is_linked_to_one_account(
    app: Litestar, journey: Journey, people: People, ada: Person
) -> None:
    eve = await people.create(is_verified=True)
    for subject in ("one", "two"):
        journey.person(subject)
    assert (await journey.link("one", ada)).status_code == 200

    refused = [await journey.link("one", eve), await journey.link("one", ada), await journey.link("two", ada)]

    assert [refusal(each) for each in refused] == [(409, "duplicate")] * 3
    assert EMAIL not in "".join(each.text for each in refused)
    [identity] = await rows(app, Identity)
    assert (await unlink(people, eve, identity.id)).status_code == 404
    assert len(await rows(app, Identity)) == 1


@pytest.mark.asvs("6.8.1")
async def test_who_has_not_confirmed_the_address_links_only_what_shows_that_it_is_theirs(
    app: Litestar, journey: Journey, people: People
) -> None:
    """Else who registers with a stranger's address keeps a way into the account when its owner comes."""
    squatter = await people.create(email=EMAIL)
    journey.person("squatter", "squatter@example.com")
    journey.person("unconfirmed", EMAIL, verified=False)
    journey.person("owner", EMAIL)

    for subject in ("squatter", "unconfirmed"):
        assert refusal(await journey.link(subject, squatter)) == (403, "email_unverified")
    assert (await journey.link("owner", squatter)).status_code == 200
    assert (await user_row(app, squatter.id)).is_verified


async def test_the_last_way_in_stays(app: Litestar, journey: Journey, people: People) -> None:
    ada = await people.create(email=EMAIL, is_verified=True, password_hash=no_password())
    journey.person("ada")
    journey.person("4711", emails=[])
    one, two = await journey.link("ada", ada), await journey.link("4711", ada, "hub")
    identities = [each.json()["id"] for each in (one, two)]

    answers = await asyncio.gather(*[unlink(people, ada, each) for each in identities])

    assert sorted(each.status_code for each in answers) == [204, 409]
    [identity] = await rows(app, Identity)
    assert refusal(await unlink(people, ada, identity.id)) == (409, "invalid_state")


@pytest.mark.asvs("6.8.1")
async def test_a_passkey_is_a_way_in_too(app: Litestar, journey: Journey, people: People) -> None:
    """So is an identity where the passkey goes; a security key that asks for no PIN is none."""
    ada = await people.create(email=EMAIL, is_verified=True, password_hash=no_password())
    journey.person("ada")
    linked = (await journey.link("ada", ada)).json()["id"]
    async with people.client(ada) as client:
        key = (await enrol(client, Authenticator(verifies=False))).json()["id"]
        assert refusal(await unlink(people, ada, linked)) == (409, "invalid_state")
        passkey = (await enrol(client, Authenticator())).json()["id"]
        assert (await unlink(people, ada, linked)).status_code == 204
        assert refusal(await client.delete(f"{PASSKEYS}/{passkey}")) == (409, "invalid_state")
        assert (await client.delete(f"{PASSKEYS}/{key}")).status_code == 204
        assert (await journey.link("ada", ada)).status_code == 200
        assert (await client.delete(f"{PASSKEYS}/{passkey}")).status_code == 204


async def test_who_gets_the_address_back_gets_rid_of_what_the_thief_linked(
    app: Litestar, journey: Journey, people: People, ada: Person
) -> None:
    """Also what was linked before the change."""
    journey.person("4711", emails=[])
    journey.person("thief", "thief@example.com")
    assert (await journey.link("4711", ada, "hub")).status_code == 200
    async with people.client(ada) as client:
        await client.post(MY_EMAIL, json={"email": "thief@example.com"})
        token = (await newest(app, "change_email")).token
        assert (await client.post(CHANGE, json={"token": token})).status_code == 204
        assert (await journey.link("thief", ada)).status_code == 200
        token = (await newest(app, "revert_email")).token
        response = await client.post(REVERT, json={"token": token, "password": OTHER_PASSWORD})

    assert response.status_code == 204
    assert await rows(app, Identity) == []

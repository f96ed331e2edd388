"""Passkeys: enrolled, listed, renamed, deleted, and used to sign in without a password."""

import httpx
import pytest
from litestar import Litestar

from tests.domain.auth.passkeys import LOGIN, NEW_OPTIONS, OPTIONS, PASSKEYS, enrol
from tests.domain.auth.steps import ME, bearer
from tests.support.apps import client_of
from tests.support.authenticators import Authenticator, to_bytes
from tests.support.people import People


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
async def test_a_passkey_signs_in_without_a_password(
    app: Litestar, client: httpx.AsyncClient, people: People, algorithm: int
) -> None:
    person, authenticator = await people.create(name="Ada"), Authenticator(algorithm)
    async with people.client(person) as mine:
        options = (await mine.post(NEW_OPTIONS)).json()
        created = await mine.post(PASSKEYS, json={"credential": authenticator.create(options), "name": "My phone"})
        assert created.status_code == 201, created.text
        passkey = created.json()
        seen = await mine.get(created.headers["location"])
    assert options["rp"] == {"id": "localhost", "name": "Lodestar"}
    assert options["user"] | {"id": ""} == {"id": "", "name": person.email, "displayName": "Ada"}
    assert (passkey["name"], passkey["transports"], passkey["last_used_at"]) == (
        "My phone",
        ["hybrid", "internal"],
        None,
    )
    assert {**seen.json(), "recovery_codes": passkey["recovery_codes"]} == passkey

    before = (await client.post(OPTIONS)).json()
    answer = await client.post(LOGIN, json={"credential": authenticator.get(before)})

    assert answer.status_code == 200, answer.text
    assert (before["allowCredentials"], before["userVerification"]) == ([], "required")
    async with client_of(app, headers=bearer(answer.json()["access_token"])) as again:
        assert (await again.get(ME)).json()["id"] == str(person.id)
        (used,) = (await again.get(PASSKEYS)).json()["items"]
    assert used["last_used_at"] > used["created_at"]
    assert used["version"] == passkey["version"]


async def test_passkeys_are_listed_renamed_and_deleted(people: People) -> None:
    person, other = await people.create(), await people.create()
    async with people.client(person) as mine, people.client(other) as theirs:
        first, second = [(await enrol(mine, Authenticator(), name=name)).json() for name in ("One", "Two")]
        url = f"{PASSKEYS}/{first['id']}"
        page = (await mine.get(PASSKEYS)).json()
        renamed = await mine.patch(url, json={"name": "Old phone"}, headers={"If-Match": '"1"'})
        stale = await mine.patch(url, json={"name": "Phone"}, headers={"If-Match": '"1"'})
        foreign = [await theirs.get(url), await theirs.patch(url, json={"name": "Mine"}), await theirs.delete(url)]
        hers = (await theirs.get(PASSKEYS)).json()
        deleted = [(await mine.delete(url)).status_code for _ in range(2)]
        left = (await mine.get(PASSKEYS)).json()["items"]

    assert ([each["name"] for each in page["items"]], page["total"]) == (["Two", "One"], 2)
    assert (renamed.json()["name"], renamed.json()["version"], stale.status_code) == ("Old phone", 2, 412)
    assert [each.status_code for each in foreign] == [404, 404, 404]
    assert hers["items"] == []
    assert deleted == [204, 404]
    assert [each["id"] for each in left] == [second["id"]]


async def test_twenty_passkeys_are_the_most(people: People) -> None:
    async with people.client(await people.create()) as mine:
        authenticator = Authenticator(-8)
        statuses = [(await enrol(mine, authenticator)).status_code for _ in range(21)]
        options = (await mine.post(NEW_OPTIONS)).json()

    assert statuses == [201] * 20 + [409]
    assert {to_bytes(each["id"]) for each in options["excludeCredentials"]} == {
        each.id for each in authenticator.credentials[:20]
    }

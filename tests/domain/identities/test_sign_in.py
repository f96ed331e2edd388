"""Who a person from a provider is here: a new user, the one of before, or the one who has the address."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar
from sqlalchemy import insert

from app.domain.accounts.models import User
from app.domain.auth.models import TotpFactor
from app.domain.identities.models import Identity
from app.lib.clock import utc_now
from app.lib.security.passwords import no_password
from tests.domain.auth.steps import FORGOT, ME, RESET, audited, bearer, change_user, sessions_of, sign_in, user_row
from tests.domain.identities.provider import IdentityProvider
from tests.domain.identities.steps import MINE, Journey, refusal, rows
from tests.support.apps import Deployment, client_of, core_of
from tests.support.links import newest, received
from tests.support.people import PASSWORD, People

ADA, EMAIL = "ada-at-acme", "ada@example.com"
LINK_REQUIRED, UNVERIFIED = (409, "link_required"), (403, "email_unverified")
OTHER = "an even finer day"


@pytest_asyncio.fixture
async def ada(journey: Journey) -> AsyncIterator[str]:
    yield journey.person(ADA, EMAIL, name="Ada Lovelace")


async def me_of(client: httpx.AsyncClient, signed_in: httpx.Response) -> dict[str, Any]:
    assert signed_in.status_code == 200, signed_in.text
    body: dict[str, Any] = (await client.get(ME, headers=bearer(signed_in.json()["access_token"]))).json()
    return body


@pytest.mark.asvs("10.5.2")
async def test_a_person_who_is_new_becomes_a_user_without_a_password(
    app: Litestar, client: httpx.AsyncClient, journey: Journey, ada: str
) -> None:
    me = await me_of(client, await journey.sign_in(ada, language="de-AT"))

    assert (me["email"], me["name"], me["is_verified"], me["locale"]) == (EMAIL, "Ada Lovelace", True, "de-AT")
    [welcome] = await received(app)
    assert welcome.kind == "welcome"
    assert "Melde dich an wie eben; ein Passwort brauchst du nicht." in " ".join(welcome.text.split())
    assert [row.details["way"] for row in await audited(app, "sign_in.ok")] == ["provider:acme"]
    for password in ("", "!", (await user_row(app, UUID(me["id"]))).password_hash, PASSWORD):
        assert (await sign_in(client, EMAIL, password or "x")).status_code == 401
    [identity] = await rows(app, Identity)
    assert (identity.issuer, identity.subject) == (journey.provider.issuer, ADA)
    assert (await me_of(client, await journey.sign_in(ada)))["id"] == me["id"]
    [identity] = await rows(app, Identity)
    assert identity.last_used_at is not None


@pytest.mark.asvs("6.4.3")
async def test_a_user_without_a_password_sets_one_by_mail(
    app: Litestar, client: httpx.AsyncClient, journey: Journey, ada: str
) -> None:
    me = await me_of(client, await journey.sign_in(ada))

    await client.post(FORGOT, json={"email": EMAIL})
    token = (await newest(app, "reset_password")).token
    assert (await client.post(RESET, json={"token": token, "password": OTHER})).status_code == 204

    assert (await me_of(client, await sign_in(client, EMAIL, OTHER)))["id"] == me["id"]
    assert (await me_of(client, await journey.sign_in(ada)))["id"] == me["id"]


@pytest.mark.parametrize("spelling", [EMAIL, "ADA@EXAMPLE.COM", "\uff41da@example.com"])
async def test_the_user_with_the_confirmed_address_is_linked(
    app: Litestar, client: httpx.AsyncClient, journey: Journey, people: People, spelling: str
) -> None:
    person = await people.create(email=EMAIL, is_verified=True)

    me = await me_of(client, await journey.sign_in(journey.person(ADA, spelling)))

    assert (me["id"], me["email"]) == (str(person.id), EMAIL)
    assert (await sign_in(client, EMAIL)).status_code == 200
    [mail] = await received(app, "identity_linked")
    assert (mail.to, "Acme & Sons" in mail.text) == (EMAIL, True)
    [audit] = await audited(app, "identity.linked")
    assert (audit.subject_id, audit.details) == (person.id, {"provider": "acme"})


@pytest.mark.asvs("6.8.1")
async def test_a_stranger_who_took_the_address_first_gets_no_company(
    app: Litestar, journey: Journey, people: People, ada: str
) -> None:
    """Else they would keep the password of an account that the owner believes to be theirs."""
    squatter = await people.create(email=EMAIL, is_verified=False)

    response = await journey.sign_in(ada)

    assert refusal(response) == LINK_REQUIRED
    assert await rows(app, Identity) == []
    assert not (await user_row(app, squatter.id)).is_verified
    assert [row.subject_id for row in await audited(app, "sign_in.failed")] == [squatter.id]


async def test_an_address_that_was_not_confirmed_is_so_now_where_there_is_no_password(
    app: Litestar, client: httpx.AsyncClient, journey: Journey, people: People, ada: str
) -> None:
    person = await people.create(email=EMAIL, password_hash=no_password())

    me = await me_of(client, await journey.sign_in(ada))

    assert (me["id"], me["is_verified"]) == (str(person.id), True)


@pytest.mark.asvs("6.8.1")
async def test_an_address_that_the_provider_has_not_confirmed_is_worth_nothing(
    app: Litestar, journey: Journey, people: People
) -> None:
    await people.create(email=EMAIL, is_verified=True)
    unconfirmed: list[Any] = [False, None, "false", 0, "yes", [True]]
    for verified in unconfirmed:
        for email in (EMAIL, "eve@example.com"):
            journey.person(ADA, email, verified=verified)
            assert refusal(await journey.sign_in(ADA)) == UNVERIFIED, verified
    wrong: list[Any] = ["", "ada", "ada@example.com\r\nbcc: eve@example.com", "a\0@example.com", 7, None]
    for email in wrong:
        journey.provider.add(ADA, email=email, email_verified=True)
        assert refusal(await journey.sign_in(ADA)) == UNVERIFIED, email

    assert len(await rows(app, User)) == 1


async def test_the_subject_counts_and_not_the_address(
    app: Litestar, client: httpx.AsyncClient, journey: Journey, ada: str
) -> None:
    """An address there may be given to another person; the subject never is."""
    me = await me_of(client, await journey.sign_in(ada))

    journey.person(ADA, "lovelace@example.com", verified=False)
    assert (await me_of(client, await journey.sign_in(ada)))["id"] == me["id"]
    journey.person("another-person", EMAIL)
    assert refusal(await journey.sign_in("another-person")) == (409, "duplicate")
    assert len(await rows(app, Identity)) == 1


@pytest.mark.asvs("6.8.1")
async def test_the_same_subject_at_another_provider_is_another_person(
    app: Litestar, client: httpx.AsyncClient, journey: Journey, ada: str
) -> None:
    me = await me_of(client, await journey.sign_in(ada))
    journey.person(ADA, "other@example.com")

    assert (await me_of(client, await journey.sign_in(ada, "other")))["id"] != me["id"]


async def test_who_may_not_sign_in_may_not_this_way_either(
    app: Litestar, client: httpx.AsyncClient, journey: Journey, people: People, ada: str
) -> None:
    me = await me_of(client, await journey.sign_in(ada))
    await change_user(app, UUID(me["id"]), is_active=False)
    await people.create(email="inactive@example.com", is_verified=True, is_active=False)

    assert refusal(await journey.sign_in(ada)) == (403, "account_inactive")
    assert refusal(await journey.sign_in(journey.person("eve", "inactive@example.com"))) == (403, "account_inactive")
    assert len(await audited(app, "sign_in.inactive")) == 2
    assert len(await rows(app, Identity)) == 1


async def test_a_deleted_user_comes_back_as_a_new_one(
    app: Litestar, client: httpx.AsyncClient, journey: Journey, ada: str
) -> None:
    signed_in = await journey.sign_in(ada)
    me = await me_of(client, signed_in)

    gone = await client.delete(ME, headers=bearer(signed_in.json()["access_token"]))

    assert gone.status_code == 204
    assert await rows(app, Identity) == []
    assert (await me_of(client, await journey.sign_in(ada)))["id"] != me["id"]


@pytest.mark.asvs("6.3.4")
async def test_the_second_factor_is_asked_for(app: Litestar, journey: Journey, people: People, ada: str) -> None:
    person = await people.create(email=EMAIL, is_verified=True)
    async with core_of(app).database.independent() as unit:
        factor = {"user_id": person.id, "secret": b"sealed", "created_at": utc_now(), "confirmed_at": utc_now()}
        await unit.session.execute(insert(TotpFactor).values(**factor, last_step=0))

    assert refusal(await journey.sign_in(ada)) == (403, "mfa_required")

    assert [row.id for row in await sessions_of(app, person.id)] == [person.session_id]
    assert await audited(app, "sign_in.ok") == []


async def test_where_addresses_must_be_confirmed_only_such_accounts_sign_in(
    deployment: Deployment, server: IdentityProvider
) -> None:
    app = await deployment.start(OIDC_PROVIDERS=server.configs(), REQUIRE_VERIFIED_EMAIL="true")
    journey = Journey(app, server, People(app))
    ada = journey.person(ADA, EMAIL)
    async with client_of(app) as client:
        me = await me_of(client, await journey.sign_in(ada))
        await change_user(app, UUID(me["id"]), is_verified=False)

        assert refusal(await journey.sign_in(ada)) == UNVERIFIED
    assert len(await audited(app, "sign_in.unverified")) == 1


async def test_a_former_address_that_may_come_back_is_taken(
    app: Litestar, client: httpx.AsyncClient, journey: Journey, people: People, ada: str
) -> None:
    person = await people.create(email=EMAIL, is_verified=True)
    async with people.client(person) as mine:
        await mine.post(f"{ME}/email", json={"email": "new@example.com"})
        token = (await newest(app, "change_email")).token
        assert (await mine.post("/api/v1/auth/change-email", json={"token": token})).status_code == 204

    assert refusal(await journey.sign_in(ada)) == LINK_REQUIRED


async def test_the_user_info_is_asked_where_the_id_token_has_no_address(
    app: Litestar, client: httpx.AsyncClient, journey: Journey, ada: str
) -> None:
    journey.provider.without_email = True

    assert (await me_of(client, await journey.sign_in(ada)))["email"] == EMAIL
    assert "/userinfo" in journey.provider.asked


async def test_identities_are_listed_for_their_owner(journey: Journey, client: httpx.AsyncClient, ada: str) -> None:
    token = (await journey.sign_in(ada)).json()["access_token"]

    found = await client.get(MINE, headers=bearer(token))

    [identity] = found.json()["items"]
    assert (identity["provider"], identity["email"], found.json()["total"]) == ("acme", EMAIL, 1)
    assert (await client.get(MINE)).status_code == 401

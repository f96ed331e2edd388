"""Registration with ``REQUIRE_VERIFIED_EMAIL``: it does not reveal who has an account [ASVS 6.3.8]."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
import time_machine
from litestar import Litestar

from app.domain.accounts.models import User, UsernameHold
from app.lib.clock import utc_now
from tests.domain.accounts.answers import rows
from tests.domain.auth.steps import (
    ME,
    REGISTER,
    VERIFY,
    argon2_runs,
    audited,
    change_user,
    emails,
    fields,
    shown,
    sign_in,
    warm,
    without_purges,
)
from tests.support.apps import Deployment, client_of
from tests.support.counting import counted_statements
from tests.support.jobs import run_job
from tests.support.links import newest, run_mail_jobs
from tests.support.people import PASSWORD, People

pytestmark = pytest.mark.asvs("6.3.8")

TAKEN, FREE = "ada@example.com", "eve@example.com"


@pytest_asyncio.fixture
async def strict(deployment: Deployment) -> Litestar:
    """An app that verifies addresses; one of them has an account."""
    app = await deployment.start(REQUIRE_VERIFIED_EMAIL="true")
    await People(app).create(email=TAKEN, username="countess")
    return app


async def register(app: Litestar, email: str, **members: Any) -> httpx.Response:
    async with client_of(app) as client:
        return await client.post(REGISTER, json={"email": email, "password": PASSWORD, **members})


async def test_a_free_and_a_taken_address_are_answered_alike(strict: Litestar) -> None:
    """Both unique constraints at once must not answer by the one that the database checks first."""
    members: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}),
        ({"name": "Grace Hopper"}, {"name": "Grace Hopper"}),
        ({"username": "amazing"}, {"username": "amazed"}),
    ]
    for number, (of_taken, of_free) in enumerate(members):
        taken = await register(strict, TAKEN, **of_taken)
        free = await register(strict, f"{number}{FREE}", **of_free)

        assert taken.status_code == 202
        assert shown(taken) == shown(free)
        assert "location" not in free.headers
        assert "etag" not in free.headers
        assert set(free.json()) == {"status", "detail"}
    assert set(await emails(strict)) == {TAKEN, *(f"{number}{FREE}" for number in range(3))}
    for email in (TAKEN, FREE):
        assert fields(await register(strict, email, username="COUNTESS")) == {"/username": "not_unique"}
    assert len(await emails(strict)) == 4


@pytest.mark.parametrize("named", [False, True])
async def test_a_free_and_a_taken_address_cost_the_same_work(strict: Litestar, named: bool) -> None:
    work: list[tuple[int, list[str]]] = []
    for email, username in ((TAKEN, "pinta"), (FREE, "argo")):
        with counted_statements(strict) as statements, argon2_runs() as runs:
            await register(strict, email, **({"username": username} if named else {}))
        work.append((len(without_purges(statements)), runs))

    assert work[0] == work[1]
    assert work[0][1] == ["hash"]


async def test_what_a_registration_left_behind_does_not_say_whether_the_address_was_taken(strict: Litestar) -> None:
    """Every later request that could read it: sign-in by both names, the names again, and again elsewhere."""
    seen: list[list[Any]] = []
    for email, names in ((TAKEN, ["pinta", "nina", "maria"]), (FREE, ["argo", "vasa", "rosa"])):
        asked = [await register(strict, email, username=names[0]), await register(strict, email, username=names[1])]
        asked += [await register(strict, email, username=names[0]), await register(strict, email, username=names[1])]
        asked += [await register(strict, f"other-{email}", username=name.upper()) for name in names]
        async with client_of(strict) as client:
            asked += [
                await sign_in(client, name, password) for name in (email, *names) for password in ("no", PASSWORD)
            ]
            found = await client.get("/api/v1/profiles", params={"username": names})
            assert found.json()["items"] == []
        seen.append([shown(each) for each in asked])

    assert seen[0] == seen[1]
    assert [each[0] for each in seen[0]] == [202, 202, 409, 409, 409, 409, 202, *[401] * 8]


async def test_a_name_that_was_kept_is_taken_for_all_but_the_owner_of_the_address(strict: Litestar) -> None:
    people = People(strict)
    owner, other = await people.create(email="grace@example.com"), await people.create(is_superuser=True)
    assert (await register(strict, "grace@example.com", username="Kept")).status_code == 202

    async with people.client(other) as calls:
        taken = [
            await calls.patch(ME, json={"username": "kept"}),
            await calls.patch(f"/api/v1/users/{other.id}", json={"username": "KEPT"}),
            await calls.post("/api/v1/users", json={"email": FREE, "password": PASSWORD, "username": "kept"}),
        ]
    async with people.client(owner) as calls:
        own = await calls.patch(ME, json={"username": "kept"})
        moved = await calls.patch(ME, json={"username": "former"})
    async with people.client(other) as calls:
        freed = await calls.patch(ME, json={"username": "kept"})

    for answer in taken:
        assert (answer.status_code, fields(answer)) == (409, {"/username": "not_unique"})
    assert [each.status_code for each in (own, moved, freed)] == [200, 200, 200]


async def test_one_name_at_two_addresses_at_once_is_given_once(strict: Litestar) -> None:
    """Whether one of them is taken or not."""
    await warm(strict)
    for number, first in enumerate([TAKEN, FREE, TAKEN]):
        calls = [register(strict, each, username=f"at-once-{number}") for each in (first, f"{number}@example.net")]
        answers = await asyncio.gather(*calls)

        assert sorted(each.status_code for each in answers) == [202, 409]


@pytest.mark.usefixtures("clock")
async def test_attempts_count_alike_for_a_name_that_was_kept(strict: Litestar) -> None:
    """If guesses at the username counted for the address where it was free only, that would tell."""
    seen: list[list[int]] = []
    for email, name in ((TAKEN, "pinta"), (FREE, "argo")):
        await register(strict, email, username=name)
        async with client_of(strict, address=f"198.51.100.{len(seen) + 1}") as client:
            answers = [await sign_in(client, name, "a wrong one") for _ in range(6)]
            answers += [await sign_in(client, email, "a wrong one") for _ in range(5)]
        seen.append([each.status_code for each in answers])

    assert seen == [[401] * 10 + [429]] * 2


@pytest.mark.parametrize("way", ["right", "wrong"])
async def test_an_unconfirmed_account_costs_the_work_of_an_unknown_one(strict: Litestar, way: str) -> None:
    await register(strict, FREE)
    work: list[tuple[int, list[str]]] = []
    async with client_of(strict) as client:
        for name in (FREE, "unknown@example.com") * 2:
            with counted_statements(strict) as statements, argon2_runs() as runs:
                assert (await sign_in(client, name, PASSWORD if way == "right" else "wrong")).status_code == 401
            work.append((len(without_purges(statements)), [run.replace("verify", "hash") for run in runs]))

    assert work == [work[0]] * 4


@pytest.mark.usefixtures("clock")
async def test_the_right_password_of_an_unconfirmed_account_is_a_failed_attempt(strict: Litestar) -> None:
    await register(strict, FREE)
    seen: list[list[int]] = []
    for number, name in enumerate([FREE, TAKEN]):
        async with client_of(strict, address=f"198.51.100.{number + 1}") as client:
            answers = [await sign_in(client, name, PASSWORD if name == FREE else "not it") for _ in range(12)]
        seen.append([each.status_code for each in answers])

    assert seen == [[401] * 10 + [429] * 2] * 2


ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@ON_SQLITE
async def test_a_mistake_is_reported_alike(strict: Litestar) -> None:
    mistakes: list[dict[str, Any]] = [
        {"password": "short"}, {"password": "12345678"}, {"name": "X"}, {"is_superuser": True}, {"username": "-"}
    ]  # fmt: skip
    for members in mistakes:
        taken, free = await register(strict, TAKEN, **members), await register(strict, FREE, **members)

        assert taken.status_code == 422
        assert shown(taken) == shown(free)


async def test_a_taken_address_keeps_its_password_and_its_owner_finds_the_attempt_in_the_audit_log(
    strict: Litestar,
) -> None:
    await register(strict, "ADA@example.com", password="another fine password")

    (event,) = await audited(strict, "user.registered_again")
    assert event.subject_id is not None
    assert event.address == "203.0.113.7"
    async with client_of(strict) as client:
        assert (await sign_in(client, TAKEN, "another fine password")).status_code == 401


async def test_many_at_once_are_all_answered_alike(strict: Litestar) -> None:
    await warm(strict)
    responses = await asyncio.gather(*(register(strict, FREE) for _ in range(20)))

    assert {response.status_code for response in responses} == {202}
    assert await emails(strict) == [TAKEN, FREE]


@ON_SQLITE
async def test_sign_in_has_to_wait_for_the_verification(strict: Litestar) -> None:
    await register(strict, FREE)

    async with client_of(strict) as client:
        refused = await sign_in(client, FREE)
        wrong = await sign_in(client, FREE, "not the password")
        assert shown(refused) == shown(wrong)
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
        (registered,) = await audited(strict, "user.registered")
        await change_user(strict, registered.subject_id, is_verified=True)
        assert (await sign_in(client, FREE)).status_code == 200


@ON_SQLITE
@pytest.mark.usefixtures("clock")
async def test_limits_count_alike(strict: Litestar) -> None:
    """The 31st attempt from an address in a minute, whether the account exists or not."""
    for _ in range(30):
        assert (await register(strict, TAKEN, name="X")).status_code == 422

    taken, free = await register(strict, TAKEN), await register(strict, FREE)
    assert taken.status_code == free.status_code == 429
    assert taken.json()["code"] == "rate_limited"


@pytest.mark.asvs("6.3.8", "15.2.2")
async def test_names_that_are_kept_are_few_and_for_a_time(deployment: Deployment) -> None:
    """The same for a free and a taken address, else who asks later sees which it was."""
    app = await deployment.start(REQUIRE_VERIFIED_EMAIL="true", RATE_LIMIT_AUTH="1000/minute")
    people, began = People(app), utc_now()
    await people.create(email=TAKEN, is_verified=True)
    for email, name in ((TAKEN, "taken"), (FREE, "free")):
        for number in range(12):
            with time_machine.travel(began + timedelta(minutes=number), tick=False):
                assert (await register(app, email, username=f"{name}{number}")).status_code == 202
    await run_mail_jobs(app)
    held = [each.username_key for each in await rows(app, UsernameHold)]
    kept = [[int(key.removeprefix(name)) for key in held if key.startswith(name)] for name in ("taken", "free")]
    assert sorted(kept[0]) == sorted(kept[1]) == list(range(2, 12))
    assert [row.username for row in await rows(app, User)] == [None, None]

    assert (await register(app, "grace@example.com", username="grace")).status_code == 202
    assert (await register(app, "linus@example.com", username="linus")).status_code == 202
    body = {"token": (await newest(app, "verify_email")).token, "password": PASSWORD}
    async with client_of(app) as client:
        assert (await client.post(VERIFY, json=body)).status_code == 204
    with time_machine.travel(utc_now() + timedelta(days=31)):
        await run_job(app, "sessions.purge")
        assert (await register(app, "new@example.com", username="grace")).status_code == 202
        assert fields(await register(app, "new@example.com", username="linus")) == {"/username": "not_unique"}
    assert {each.username_key for each in await rows(app, UsernameHold)} == {"grace", "linus"}
    assert sorted(row.username for row in await rows(app, User) if row.username) == ["grace", "linus"]

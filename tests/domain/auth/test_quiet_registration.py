"""Registration with ``REQUIRE_VERIFIED_EMAIL``: it does not reveal who has an account [ASVS 6.3.8]."""

import asyncio
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from tests.domain.auth.steps import (
    REGISTER,
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
    for number, members in enumerate([{}, {"name": "Grace Hopper"}, {"username": "amazing"}]):
        taken = await register(strict, TAKEN, **members)
        free = await register(strict, f"{number}{FREE}", **members)

        assert taken.status_code == 202
        assert shown(taken) == shown(free)
        assert "location" not in free.headers
        assert "etag" not in free.headers
        assert set(free.json()) == {"status", "detail"}
    assert set(await emails(strict)) == {TAKEN, *(f"{number}{FREE}" for number in range(3))}
    for email in (TAKEN, FREE):
        assert fields(await register(strict, email, username="COUNTESS")) == {"/username": "not_unique"}
    assert len(await emails(strict)) == 4


@pytest.mark.parametrize("members", [{}, {"username": "amazing"}], ids=str)
async def test_a_free_and_a_taken_address_cost_the_same_work(strict: Litestar, members: dict[str, str]) -> None:
    work: list[tuple[int, list[str]]] = []
    for email in (TAKEN, FREE):
        with counted_statements(strict) as statements, argon2_runs() as runs:
            await register(strict, email, **members)
        work.append((len(without_purges(statements)), runs))

    assert work[0] == work[1]
    assert work[0][1] == ["hash"]


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
        assert refused.status_code == 403
        assert refused.json()["code"] == "email_unverified"
        assert (await sign_in(client, FREE, "not the password")).json()["code"] == "invalid_credentials"
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

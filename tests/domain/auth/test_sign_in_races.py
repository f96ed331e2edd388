"""An account that changes while its password is being verified."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import argon2
import httpx
import pytest
from litestar import Litestar
from sqlalchemy import delete, update

from app.domain.accounts.models import User
from tests.domain.auth.steps import argon2_runs, sessions_of, sign_in
from tests.support.apps import core_of
from tests.support.counting import counted_statements
from tests.support.people import HASHER, PASSWORD, People, Person
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.asvs("15.4.2")

NEW = "another fine password"


async def until(condition: Callable[[], bool]) -> None:
    """Gives way to others until it is so."""
    while not condition():  # noqa: ASYNC110 - a thread makes it so, and has no event to set
        await asyncio.sleep(0.001)


@asynccontextmanager
async def sign_in_during(
    app: Litestar, client: httpx.AsyncClient, person: Person, change: Any
) -> AsyncIterator[Awaitable[httpx.Response]]:
    """A sign-in that verifies the password after the change was made and before it is committed."""
    database = core_of(app).database

    def is_at_the_lock() -> bool:
        """SQLite's has to be taken before the first statement, PostgreSQL's is part of one."""
        return bool(runs) and (database.url.is_sqlite or any("INTO sessions" in each for each in statements))

    reached, gate = threading.Event(), threading.Event()
    with argon2_runs() as runs, counted_statements(app) as statements, pytest.MonkeyPatch.context() as patch:
        verify = argon2.PasswordHasher.verify

        def held(*args: Any) -> bool:
            reached.set()
            gate.wait(PATIENCE)
            return verify(*args)

        patch.setattr(argon2.PasswordHasher, "verify", held)
        async with asyncio.timeout(PATIENCE):
            attempt = asyncio.create_task(sign_in(client, person.email))
            await until(reached.is_set)  # SQLite's limits have been counted by then, and want no lock any more
            async with database.independent() as unit:
                await unit.session.execute(change)
                gate.set()
                await until(is_at_the_lock)
                await asyncio.sleep(0.03)
                assert not attempt.done()
            yield attempt


async def test_the_old_password_opens_nothing_after_a_change(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    """Else who knows it could start a sign-in just before the change and stay."""
    person = await people.create()
    change = update(User).where(User.id == person.id).values(password_hash=HASHER.hash(NEW))

    async with sign_in_during(app, client, person, change) as attempt:
        response = await attempt

    assert response.status_code == 401
    assert response.json()["code"] == "invalid_credentials"
    assert [row.id for row in await sessions_of(app, person.id)] == [person.session_id]


async def test_a_deactivated_user_does_not_get_in(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    """Its sessions have been ended by then, and a later one would live again with the account."""
    person = await people.create()
    change = update(User).where(User.id == person.id).values(is_active=False)

    async with sign_in_during(app, client, person, change) as attempt:
        response = await attempt

    assert (response.status_code, response.json()["code"]) == (403, "account_inactive")
    assert [row.id for row in await sessions_of(app, person.id)] == [person.session_id]


async def test_a_deleted_user_does_not_get_in(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    async with sign_in_during(app, client, person, delete(User).where(User.id == person.id)) as attempt:
        response = await attempt

    assert response.status_code == 401


async def test_a_hash_that_was_renewed_at_the_same_time_does_no_harm(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create()
    change = update(User).where(User.id == person.id).values(password_hash=HASHER.hash(PASSWORD))

    async with sign_in_during(app, client, person, change) as attempt:
        response = await attempt

    assert response.status_code == 200

"""The service runs on a database that is not migrated."""

import asyncio

import httpx
import pytest
from sqlalchemy import text

from app.core import MIGRATIONS
from app.lib.db.migrations import Migrations
from app.lib.db.url import DatabaseURL
from tests.faults.answers import assert_unavailable
from tests.faults.conftest import service_on
from tests.support.apps import client_of, core_of, forget, running_app
from tests.support.people import PASSWORD

ACCOUNT = {"email": "early@example.com", "password": PASSWORD}


async def register(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/api/v1/auth/register", json=ACCOUNT)


async def test_without_a_schema_only_the_liveness_check_succeeds(empty_url: DatabaseURL) -> None:
    if empty_url.is_sqlite:
        empty_url.path.touch()
    async with running_app(empty_url) as app, client_of(app) as client:
        assert (await client.get("/health/live")).status_code == 200
        ready = await client.get("/health/ready")
        assert ready.status_code == 503
        assert "app db upgrade" in ready.json()["checks"][0]["hint"]
        assert_unavailable(await register(client))
        assert_unavailable(await client.post("/api/v1/auth/login", data={"username": "a@b.example", "password": "x"}))

        await Migrations(empty_url, MIGRATIONS).upgrade()
        await forget(app)

        assert (await client.get("/health/ready")).status_code == 200
        assert (await register(client)).status_code == 201


@pytest.mark.parametrize("change", ["ALTER TABLE users DROP COLUMN locale", "DROP TABLE profiles"])
async def test_a_schema_that_is_too_old_is_unavailable(own_url: DatabaseURL, change: str) -> None:
    async with service_on(own_url) as service:
        async with service.core.database.engine.begin() as connection:
            await connection.execute(text(change))

        assert_unavailable(await service.register())
        assert await service.is_alive()


async def test_a_schema_that_changes_under_load_costs_at_most_one_answer(own_url: DatabaseURL) -> None:
    """A rolling upgrade adds a column below the feet of the old version."""
    async with service_on(own_url) as service:
        await asyncio.gather(service.read(), service.write())
        async with core_of(service.app).database.engine.begin() as connection:
            await connection.execute(text("ALTER TABLE users ADD COLUMN shoe_size integer"))

        first = [await service.read(), await service.write(), await service.register()]
        again = [await service.read(), await service.write()]

        assert {answer.status_code for answer in first} <= {200, 201, 503}
        assert {answer.status_code for answer in again} == {200}

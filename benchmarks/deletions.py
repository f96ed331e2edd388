"""Deletions of what has a million rows, under the service's statement timeout: ``just bench-one deletions --help``."""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from litestar import Litestar
from sqlalchemy import text

from app.core import Core
from app.lib.db.url import DatabaseURL
from tests.support.apps import client_of, core_of, running_app
from tests.support.databases import migrate, postgresql_database, postgresql_server
from tests.support.people import People, Person
from tests.support.shop import run_jobs
from tests.support.webhooks import webhook_of

API = "/api/v1"
JOBS = ("users.erase", "webhooks.delete_deliveries", "roles.touch_holders")

_CHUNK = 10_000
_NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})"
_STAMPS = "'2026-01-01 00:00:00+00', '2026-01-01 00:00:00+00', 1"
_ROWS = (
    """INSERT INTO orders (id, number, customer_id, status, currency, total_units, refunded_units, notes,
        metadata, payment_processing, created_at, updated_at, version)
        {numbers} SELECT {id}, n, {user}, 'delivered', 'EUR', 100, 0, 'Ring.', '{{}}', false, {stamps} FROM numbers""",
    """INSERT INTO webhook_deliveries (id, endpoint_id, event_id, kind, body, status, attempts, created_at, updated_at,
        version)
        {numbers} SELECT {id}, {webhook}, {id}, 'user.updated', 'A body.', 'failed', 10, {stamps} FROM numbers""",
    """INSERT INTO users (id, email, email_key, name_key, search_text, locale, password_hash, is_active, is_verified,
        is_superuser, is_service, must_change_password, metadata, created_at, updated_at, version)
        {numbers} SELECT {id}, 'u' || n, 'u' || n, 'chunk {first}', '', 'en', '!', true, false, false, false, false,
        '{{}}', {stamps} FROM numbers""",
    "INSERT INTO user_roles (user_id, role_id) SELECT id, {role} FROM users WHERE name_key = 'chunk {first}'",
)
_POSTS = (
    """INSERT INTO posts (id, author_id, title, title_key, slug, excerpt, has_own_excerpt, tags, metadata, public_from,
        is_announced, title_search, content, search, created_at, updated_at, version)
        {numbers} SELECT {id}, {user}, 'T', 't', 's' || n, 'E', false, '["sea"]', '{{}}',
        '9999-12-31 00:00:00+00', false, 't', 'C', 't', {stamps} FROM numbers""",
)
_LEFT = """SELECT (SELECT count(*) FROM posts) + (SELECT count(*) FROM webhook_deliveries)
    + (SELECT count(*) FROM user_roles) + (SELECT count(*) FROM orders WHERE customer_id IS NOT NULL)"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deletions", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of each kind")
    parser.add_argument("--posts", type=int, default=20_000, help="of the user; each leaves an event")
    arguments = parser.parse_args()
    for database in (_sqlite, _postgresql):
        with database() as url:
            migrate(url)
            figures = asyncio.run(_bench(url, arguments.rows, arguments.posts))
            print(json.dumps({"database": database.__name__[1:], **vars(arguments), **figures}), flush=True)


@contextmanager
def _sqlite() -> Iterator[DatabaseURL]:
    with tempfile.TemporaryDirectory() as folder:
        yield DatabaseURL.parse(f"sqlite:///{Path(folder) / 'bench.db'}")


@contextmanager
def _postgresql() -> Iterator[DatabaseURL]:
    with ExitStack() as stack:
        yield stack.enter_context(postgresql_database(stack.enter_context(postgresql_server())))


async def _bench(url: DatabaseURL, rows: int, posts: int) -> dict[str, Any]:
    async with running_app(url, RATE_LIMIT_ENABLED="false") as app:
        people, core = People(app), core_of(app)
        boss, person = await people.create(is_superuser=True), await people.create()
        webhook, _ = await webhook_of(person.id, core)
        async with client_of(app, headers=boss.headers) as calls:
            role = (await calls.post(f"{API}/roles", json={"name": "member", "permissions": []})).json()["id"]
            ids = {"user": person.id, "webhook": webhook, "role": UUID(role)}
            await _fill(core, _ROWS, rows, ids)
            await _fill(core, _POSTS, posts, ids)
            return await _delete(app, calls, person, role)


async def _fill(core: Core, statements: tuple[str, ...], count: int, ids: dict[str, UUID]) -> None:
    """In chunks, for here, too, a statement has its time."""
    values = {name: f"'{value.hex}'" for name, value in ids.items()} | {"id": "printf('%032x', n)", "stamps": _STAMPS}
    if not core.database.url.is_sqlite:
        values |= {name: f"'{value}'::uuid" for name, value in ids.items()}
        values["id"] = "lpad(to_hex(n), 32, '0')::uuid"
    for first in range(1, count + 1, _CHUNK):
        last = min(first + _CHUNK - 1, count)
        values["numbers"] = _NUMBERS.format(first=first, last=last)
        async with core.database.independent() as unit:
            for each in statements:
                await unit.session.execute(text(each.format(first=first, **values).replace(":", r"\:")))


async def _delete(app: Litestar, calls: httpx.AsyncClient, person: Person, role: str) -> dict[str, Any]:
    core = core_of(app)
    figures: dict[str, Any] = {}

    async def timed(name: str, call: Callable[[], Awaitable[Any]]) -> None:
        begin = time.perf_counter()
        await call()
        figures[name] = round(time.perf_counter() - begin, 2)

    async def delete(path: str) -> None:
        (await calls.delete(f"{API}/{path}")).raise_for_status()

    async def work_off() -> None:
        while endings := await run_jobs(core, *JOBS):
            if {"failed", "retry"} & set(endings):
                raise RuntimeError(endings)

    await timed("role_seconds", lambda: delete(f"roles/{role}"))
    await timed("user_seconds", lambda: delete(f"users/{person.id}"))
    await timed("jobs_seconds", work_off)
    async with core.database.engine.connect() as connection:
        figures["left"] = (await connection.execute(text(_LEFT))).scalar_one()
    return figures


if __name__ == "__main__":
    main()

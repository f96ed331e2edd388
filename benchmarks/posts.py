"""The hot reads of posts on PostgreSQL, their plans and times: ``just bench-one posts --help``."""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.core import Core
from app.domain.accounts.models import User
from app.domain.posts.repositories import FEED
from app.domain.posts.services.queries import PostQueries
from app.lib.db.engine import Database
from app.lib.pagination.parameters import PageRequest
from benchmarks.many_posts import seed_posts
from benchmarks.seed import seed_users
from tests.support.apps import make_core
from tests.support.databases import migrate, postgresql_database, postgresql_server

AUTHORS = 1_000
RUNS = 50
ENOUGH_MS = 5_000
PAGE = 20
DEEP = 5_000

Call = Callable[[], Awaitable[Any]]


def main() -> None:
    arguments = _arguments()
    with ExitStack() as stack:
        url = stack.enter_context(postgresql_database(stack.enter_context(postgresql_server())))
        migrate(url)
        print(json.dumps(asyncio.run(_bench(make_core(url), arguments.posts)), indent=2))


async def _bench(core: Core, count: int) -> dict[str, object]:
    async with core.running():
        await seed_users(core.database, AUTHORS)
        begin = time.perf_counter()
        await seed_posts(core.settings.database, count)
        seeded = time.perf_counter() - begin
        return {"posts": count, "seed_seconds": round(seeded), "cases": await measure(core)}


async def measure(core: Core) -> dict[str, object]:
    """Every case, on a database that has its posts."""
    posts = core.services.build(PostQueries)
    cases = await _cases(posts, await _authors(core.database))
    return {name: await _measure(core.database, call) for name, call in cases.items()}


async def _authors(database: Database) -> list[UUID]:
    async with database.engine.begin() as connection:
        return list((await connection.execute(select(User.id).order_by(User.id))).scalars())


async def _cases(posts: PostQueries, authors: list[UUID]) -> dict[str, Call]:
    def listing(sort: str | None = None, *, paging: PageRequest | None = None, **filters: Any) -> Call:
        request = paging or PageRequest(page_size=PAGE, include_total=False)
        return lambda: posts.list(request, sort, filters)

    return {
        "first page": listing(),
        "first page, counted": listing(paging=PageRequest(page_size=PAGE)),
        f"page {DEEP} by cursor": listing(paging=await _deep(posts)),
        "by frequent tag": listing(tag=["frequent"]),
        "by tag of one in a hundred": listing(tag=["tag7"]),
        "by rare tag": listing(tag=["few7"]),
        "by author": listing(author=[authors[7]]),
        "by search, a word of every post": listing(q="common"),
        "by search, a word of one post in a hundred": listing(q="word7"),
        "by search, two such words": listing(q="word7 word8"),
        "by search, a word of fifty posts": listing(q="rare7"),
        "by search, a word of none": listing(q="nowhere"),
        f"by search, a word of every post, page {DEEP} by cursor": listing(
            q="common", paging=await _deep(posts, q="common")
        ),
        "by search, by title, a word of every post": listing("title", q="common"),
        "by search, by title, a word of fifty posts": listing("title", q="rare7"),
        "by search, ranked, a word of every post": listing("-relevance", q="common"),
        "by search, ranked, a word of one post in a hundred": listing("-relevance", q="word7"),
        "by search, ranked, a word of fifty posts": listing("-relevance", q="rare7"),
        "by search, counted, a word of every post": listing(q="common", paging=PageRequest(page_size=PAGE)),
        "by search, counted, a word of one post in a hundred": listing(q="word7", paging=PageRequest(page_size=PAGE)),
        "by slug": lambda: posts.get("post-77", None),
        "feed": lambda: posts.reader.all(FEED),
        "tags with counts": lambda: posts.list_tags(PageRequest(page_size=PAGE, include_total=False), None),
    }


async def _deep(posts: PostQueries, **filters: Any) -> PageRequest:
    """Page 5 000, where the largest steps lead to."""
    request = PageRequest(page_size=100, include_total=False)
    for _ in range((DEEP - 1) * PAGE // 100):
        page = await posts.list(request, None, filters)
        if page.next_cursor is None:
            break
        request = PageRequest(page=None, cursor=page.next_cursor, page_size=100)
    return PageRequest(page=None, cursor=request.cursor, page_size=PAGE, include_total=False)


async def _measure(database: Database, call: Call) -> dict[str, object]:
    statements: list[str] = []
    database.reader.observers.append(statements.append)
    try:
        await call()
    finally:
        database.reader.observers.remove(statements.append)
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        try:
            await call()
        except Exception as exc:  # noqa: BLE001 - a statement timeout is a result, too
            return {"failed": type(exc).__name__}
        times.append((time.perf_counter() - begin) * 1000)
        if sum(times) > ENOUGH_MS:
            break
    return {
        "ms_median": round(statistics.median(times), 2),
        "ms_worst": round(max(times), 2),
        "plan": await _plan(database, call),
    }


async def _plan(database: Database, call: Call) -> list[str]:
    """The nodes of the plans that the server chooses for the values of a call."""
    reader = database.reader
    fetch = reader.fetch
    plans: list[str] = []

    async def explain(sql: str, values: Any) -> Any:
        rows = await fetch(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) {sql}", values)
        plans.append("\n".join(row[0] for row in rows))
        return await fetch(sql, values)

    reader.fetch = explain
    try:
        await call()
    finally:
        reader.fetch = fetch
    return plans


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.posts", description=__doc__)
    parser.add_argument("--posts", type=int, default=100_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()

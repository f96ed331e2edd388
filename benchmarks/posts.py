"""The hot reads of posts on PostgreSQL, their plans and times: ``just bench-posts --help``."""

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text

from app.components import Components
from app.domain.accounts.models import User
from app.domain.posts.models import NEVER, Post, PostTag
from app.domain.posts.repositories import PostReads
from app.domain.posts.words import words_of
from app.lib.db.base import new_id
from app.lib.db.engine import Database
from app.lib.pagination.parameters import PageRequest
from benchmarks.seed import seed_users
from tests.support.apps import settings_for
from tests.support.databases import migrate, postgresql_database, postgresql_server

AUTHORS = 1_000
RUNS = 50
ENOUGH_MS = 5_000
PAGE = 20
DEEP = 5_000
_CHUNK = 2_000
_START = datetime(2016, 1, 1, tzinfo=UTC)
_WORDS = [f"word{number}" for number in range(5_000)]
_DRAFTS = 20
"""Every so-maniest post is one."""

Call = Callable[[], Awaitable[Any]]


def main() -> None:
    arguments = _arguments()
    with ExitStack() as stack:
        url = stack.enter_context(postgresql_database(stack.enter_context(postgresql_server())))
        migrate(url)
        print(json.dumps(asyncio.run(_bench(Components(settings_for(url)), arguments.posts)), indent=2))


async def _bench(components: Components, count: int) -> dict[str, object]:
    await components.start()
    try:
        begin = time.perf_counter()
        authors = await _seed(components.database, count)
        seeded = time.perf_counter() - begin
        reads = PostReads(components.database.reader, components.cursors)
        cases = await _cases(reads, authors)
        return {
            "posts": count,
            "seed_seconds": round(seeded),
            "cases": {name: await _measure(components.database, call) for name, call in cases.items()},
        }
    finally:
        await components.close()


async def _seed(database: Database, count: int) -> list[UUID]:
    await seed_users(database, AUTHORS)
    async with database.engine.begin() as connection:
        authors = list((await connection.execute(select(User.id))).scalars())
    chance = random.Random(1)  # noqa: S311 - the same posts each time
    step = timedelta(days=3_650) / count
    for first in range(0, count, _CHUNK):
        numbers = range(first, min(first + _CHUNK, count))
        posts = [_post(number, _START + step * number, authors, chance) for number in numbers]
        tags = [
            {"post_id": post["id"], "tag": tag, "public_from": post["public_from"]}
            for post in posts
            for tag in post["tags"]
        ]
        async with database.engine.begin() as connection:
            await connection.execute(insert(Post), posts)
            await connection.execute(insert(PostTag), tags)
    async with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("SET statement_timeout = 0"))
        await connection.execute(text("VACUUM ANALYZE posts, post_tags, users, profiles"))
    return authors


def _post(number: int, at: datetime, authors: list[UUID], chance: random.Random) -> dict[str, Any]:
    rare = f"rare{number // 50}"
    content = " ".join([*chance.choices(_WORDS, k=60), "common", rare])
    is_draft = number % _DRAFTS == 0
    title = f"Post {number} on {chance.choice(_WORDS)}"
    return {
        "id": new_id(),
        "author_id": chance.choice(authors),
        "title": title,
        "title_key": title.lower(),
        "title_words": words_of(title),
        "slug": f"post-{number}",
        "excerpt": content[:200],
        "tags": sorted({"frequent", f"tag{number % 97}", f"few{number // 20}"}),
        "published_at": None if is_draft else at,
        "public_from": NEVER if is_draft else at,
        "is_announced": not is_draft,
        "content": content,
        "content_words": words_of(content),
        "created_at": at,
        "updated_at": at,
    }


async def _cases(reads: PostReads, authors: list[UUID]) -> dict[str, Call]:
    def listing(sort: str | None = None, *, paging: PageRequest | None = None, **filters: Any) -> Call:
        request = paging or PageRequest(page_size=PAGE, include_total=False)
        return lambda: reads.public_posts(request, sort, filters)

    deep = PageRequest(page=None, cursor=await _cursor(reads), page_size=PAGE)
    return {
        "first page": listing(),
        "first page, counted": listing(paging=PageRequest(page_size=PAGE)),
        f"page {DEEP} by cursor": listing(paging=deep),
        "by frequent tag": listing(tag=["frequent"]),
        "by tag of one in a hundred": listing(tag=["tag7"]),
        "by rare tag": listing(tag=["few7"]),
        "by author": listing(author=[authors[7]]),
        "by search, a word of every post": listing(q="common"),
        "by search, a word of one post in a hundred": listing(q="word7"),
        "by search, two such words": listing(q="word7 word8"),
        "by search, a rare word": listing(q="rare7"),
        "by search, a word of none": listing(q="nowhere"),
        "by search, ranked, a rare word": listing("-relevance", q="rare7"),
        "by search, ranked, a word of one post in a hundred": listing("-relevance", q="word7"),
        "by slug": lambda: reads.public_post("post-77"),
        "tags with counts": lambda: reads.tags(PageRequest(page_size=PAGE, include_total=False), None),
    }


async def _cursor(reads: PostReads) -> str:
    """Where page 5 000 begins, walked to in the largest steps."""
    request = PageRequest(page_size=100, include_total=False)
    for _ in range((DEEP - 1) * PAGE // 100):
        page = await reads.public_posts(request, None, {})
        if page.next_cursor is None:
            break
        request = PageRequest(page=None, cursor=page.next_cursor, page_size=100)
    assert request.cursor is not None
    return request.cursor


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
    driver: Any = database.reader._driver  # noqa: SLF001 - EXPLAIN runs where the select itself would
    fetch = driver.fetch
    plans: list[str] = []

    async def explain(sql: str, values: Any) -> Any:
        rows = await fetch(f"EXPLAIN (COSTS OFF) {sql}", values)
        plans.extend(row[0].strip() for row in rows if "->" in row[0] or "Index" in row[0] or row[0][0] != " ")
        return await fetch(sql, values)

    driver.fetch = explain
    try:
        await call()
    finally:
        driver.fetch = fetch
    return plans


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.posts", description=__doc__)
    parser.add_argument("--posts", type=int, default=100_000)
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""What happens without a request: scheduled posts become public, and deleted users lose their posts."""

import asyncio

import httpx
from litestar import Litestar

from app.domain.posts.jobs import announce_due, announce_posts
from app.domain.posts.models import Post, PostTag
from app.lib.db.base import new_id
from app.lib.jobs import JobContext, NoPayload
from tests.domain.accounts.answers import rows
from tests.domain.posts.writing import LATER, POSTS, draft, events, let_time_pass, scheduled, write
from tests.support.apps import core_of
from tests.support.people import People


def context_of(app: Litestar) -> JobContext:
    core = core_of(app)
    return JobContext(
        job_id=new_id(),
        name=announce_posts.name,
        attempt=1,
        is_last_attempt=False,
        request_id=None,
        database=core_of(app).database,
        services=core.services,
    )


async def announce(app: Litestar) -> None:
    await announce_posts.run(NoPayload(), context_of(app))


async def test_a_scheduled_post_is_announced_when_its_time_has_come(calls: httpx.AsyncClient, app: Litestar) -> None:
    post = await scheduled(calls)
    await draft(calls)
    await announce(app)
    assert await events(app) == []

    await let_time_pass(app, post["id"])
    seen = await calls.get(f"{POSTS}/{post['id']}")
    for _ in range(2):
        await announce(app)
    [event] = await events(app)

    assert (event.kind, str(event.aggregate_id), event.aggregate_version) == ("post.published", post["id"], 1)
    # Who copies what the public sees, by `updated_at`, finds it; who edits it is not in the way.
    shown = (await calls.get(f"{POSTS}/{post['id']}", headers={"If-None-Match": seen.headers["etag"]})).json()
    assert shown["updated_at"] > seen.json()["updated_at"]
    assert shown == seen.json() | {"updated_at": shown["updated_at"]}


async def test_two_workers_announce_it_once(calls: httpx.AsyncClient, app: Litestar) -> None:
    for number in range(5):
        await let_time_pass(app, (await scheduled(calls, f"Post {number}"))["id"])
    database, bus = core_of(app).database, core_of(app).events

    async def work() -> None:
        async with database.independent() as unit:
            await announce_due(unit, bus)

    await asyncio.gather(*[work() for _ in range(4)])
    await announce(app)

    assert len(await events(app, "post.published")) == 5


async def test_what_is_put_off_is_announced_later(calls: httpx.AsyncClient, app: Litestar) -> None:
    post = await write(calls)
    await calls.post(f"{POSTS}/{post['id']}/publish", json={"published_at": LATER})
    await announce(app)
    assert [each.kind for each in await events(app)] == ["post.published", "post.updated"]

    await let_time_pass(app, post["id"])
    await announce(app)
    assert [each.kind for each in await events(app)] == ["post.published", "post.updated", "post.published"]


async def test_what_comes_early_is_announced_once(calls: httpx.AsyncClient, app: Litestar) -> None:
    post = await scheduled(calls)
    await calls.post(f"{POSTS}/{post['id']}/publish")
    await announce(app)

    assert [each.kind for each in await events(app)] == ["post.published"]


async def test_deleting_users_deletes_their_posts(people: People, app: Litestar) -> None:
    writers = [await people.create(), await people.create()]
    boss = await people.create(is_superuser=True)
    gone = set()
    async with people.client(boss) as admin, people.client(writers[0]) as calls:
        kept = await write(admin, tags=["sea"])
        for writer in writers:
            async with people.client(writer) as mine:
                for make in (write, draft, scheduled):
                    gone.add((await make(mine, f"Post {make.__name__}", tags=["sea"]))["id"])
        assert (await calls.delete("/api/v1/users/me")).status_code == 204
        assert (await admin.delete(f"/api/v1/users/{writers[1].id}")).status_code == 204
        assert (await admin.get("/api/v1/tags")).json()["items"] == [{"name": "sea", "posts": 1}]

    assert {str(each.aggregate_id) for each in await events(app, "post.deleted")} == gone
    assert [str(each.id) for each in await rows(app, Post)] == [kept["id"]]
    assert [str(each.post_id) for each in await rows(app, PostTag)] == [kept["id"]]

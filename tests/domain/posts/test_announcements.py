"""What happens without a request: scheduled posts become public, and deleted users lose their posts."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import httpx
from litestar import Litestar

from app.domain.posts.jobs import Announcement, announce_at, announce_posts
from app.domain.posts.models import Post, PostTag
from app.domain.posts.services.announcements import announce_due
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.jobs import JobContext, NoPayload
from app.lib.jobs.tables import QueuedJob
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


async def planned(app: Litestar) -> list[tuple[Announcement, datetime]]:
    """The announcements that wait for their time, and when that is."""
    found = await rows(app, QueuedJob, QueuedJob.name == announce_at.name)
    return [(announce_at.decode(each.payload), each.run_at) for each in sorted(found, key=lambda each: each.id)]


async def test_a_job_waits_for_the_instant(calls: httpx.AsyncClient, app: Litestar) -> None:
    posts = [await scheduled(calls), await draft(calls), await draft(calls)]
    for _ in range(2):
        await calls.patch(f"{POSTS}/{posts[1]['id']}", json={"published_at": LATER})
        await calls.post(f"{POSTS}/{posts[2]['id']}/publish", json={"at": LATER})
    at = datetime.fromisoformat(LATER)
    waiting = await planned(app)

    assert [announcement for announcement, _ in waiting] == [Announcement(UUID(post["id"]), at) for post in posts]
    assert all(at < run_at < at + timedelta(minutes=1) for _, run_at in waiting)

    await announce_at.run(waiting[0][0], context_of(app))
    assert await events(app, "post.published") == []
    await let_time_pass(app, posts[0]["id"])
    for _ in range(2):
        await announce_at.run(waiting[0][0], context_of(app))
    assert [str(each.aggregate_id) for each in await events(app, "post.published")] == [posts[0]["id"]]


async def test_another_instant_is_another_job_and_the_first_finds_nothing(
    calls: httpx.AsyncClient, app: Litestar
) -> None:
    post = await scheduled(calls)
    url = f"{POSTS}/{post['id']}"
    much_later = (utc_now() + timedelta(days=300)).isoformat()
    await calls.post(f"{url}/publish", json={"at": much_later})
    await calls.patch(url, json={"title": "Changed"})
    first, second = await planned(app)

    assert (first[0].at, second[0].at) == (datetime.fromisoformat(LATER), datetime.fromisoformat(much_later))
    for announcement, _ in (first, second):
        await announce_at.run(announcement, context_of(app))
    assert await events(app, "post.published") == []


async def test_what_is_published_at_once_needs_no_job(calls: httpx.AsyncClient, app: Litestar) -> None:
    post = await write(calls)
    await calls.patch(f"{POSTS}/{post['id']}", json={"title": "Changed"})
    await calls.post(f"{POSTS}/{post['id']}/unpublish")

    assert await planned(app) == []


async def test_a_scheduled_post_is_announced_when_its_time_has_come(calls: httpx.AsyncClient, app: Litestar) -> None:
    post = await scheduled(calls)
    await draft(calls)
    await announce(app)
    assert await events(app) == []

    await let_time_pass(app, post["id"])
    before = (await calls.get(f"{POSTS}/{post['id']}")).json()
    for _ in range(2):
        await announce(app)
    [event] = await events(app)

    assert (event.kind, str(event.aggregate_id), event.aggregate_version) == ("post.published", post["id"], 1)
    assert (await calls.get(f"{POSTS}/{post['id']}")).json() == before


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
    await calls.post(f"{POSTS}/{post['id']}/publish", json={"at": LATER})
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

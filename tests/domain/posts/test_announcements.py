"""What happens without a request: the time of scheduled posts, and the end of their authors."""

import asyncio

import httpx
import pytest
from litestar import Litestar

from app.background import Background
from app.domain.posts.jobs import announce_posts
from app.domain.posts.models import Post, PostTag
from app.domain.posts.services.announcing import announce_due
from app.lib.db.base import new_id
from app.lib.jobs import JobContext, Nothing
from app.lib.outbox import Outbox
from tests.domain.accounts.answers import rows
from tests.domain.posts.writing import LATER, POSTS, draft, events, let_time_pass, scheduled, write
from tests.support.apps import components_of
from tests.support.people import People


async def announce(app: Litestar) -> None:
    background: Background = app.state.background
    context = JobContext(
        job_id=new_id(),
        name=announce_posts.name,
        attempt=1,
        is_last_attempt=False,
        request_id=None,
        database=components_of(app).database,
        services=background.services,
    )
    await announce_posts.run(Nothing(), context)


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
    database, outbox = components_of(app).database, app.state.background.services[Outbox]

    async def work() -> None:
        async with database.independent() as unit:
            await announce_due(unit, outbox)

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


@pytest.mark.parametrize("way", ["themselves", "an administrator"])
async def test_deleting_a_person_deletes_their_posts(people: People, app: Litestar, way: str) -> None:
    writer, other = await people.create(), await people.create()
    boss = await people.create(is_superuser=True)
    async with people.client(writer) as mine, people.client(other) as others, people.client(boss) as admin:
        gone = {(await make(mine, f"Post {make.__name__}", tags=["sea"]))["id"] for make in (write, draft, scheduled)}
        kept = await write(others, tags=["sea"])
        if way == "themselves":
            response = await mine.delete("/api/v1/users/me")
        else:
            response = await admin.delete(f"/api/v1/users/{writer.id}")
        assert response.status_code == 204
        assert (await others.get("/api/v1/tags")).json()["items"] == [{"name": "sea", "posts": 1}]

    assert {str(each.aggregate_id) for each in await events(app, "post.deleted")} == gone
    assert [str(each.id) for each in await rows(app, Post)] == [kept["id"]]
    assert [str(each.post_id) for each in await rows(app, PostTag)] == [kept["id"]]

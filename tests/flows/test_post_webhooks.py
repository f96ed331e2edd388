"""Posts and other people's servers: what is published, changed and deleted is delivered once, signed, in time."""

from datetime import timedelta
from typing import Any

import httpx
from litestar import Litestar
from sqlalchemy import select
from standardwebhooks import Webhook

from app.lib.clock import utc_now
from app.lib.events.tables import StoredEvent
from app.lib.jobs.tables import QueuedJob
from tests.support.apps import Deployment, core_of
from tests.support.people import People, Person
from tests.support.receivers import Receiver
from tests.support.waiting import until, until_it_holds

POSTS = "/api/v1/posts"
WEBHOOKS = "/api/v1/webhooks"
KINDS = ["post.published", "post.updated", "post.deleted"]
ENVIRONMENT = {"JOBS_WORKER": "inside", "WEBHOOKS_ALLOW_PRIVATE": "true", "RATE_LIMIT_ENABLED": "false"}


async def subscribe(calls: httpx.AsyncClient, inbox: Receiver) -> Webhook:
    answer = await calls.post(WEBHOOKS, json={"url": f"http://127.0.0.1:{inbox.port}/in", "kinds": KINDS})
    assert answer.status_code == 201, answer.text
    return Webhook(answer.json()["secret"])


def delivered(inbox: Receiver, webhook: Webhook) -> list[tuple[str, dict[str, Any]]]:
    """What came in and is signed as it should be, by the ids of the events, which are in their order."""
    by_id = {each.headers["webhook-id"]: webhook.verify(each.body, each.headers) for each in inbox.received}
    return [(data["type"], data["data"]) for _, data in sorted(by_id.items())]


async def make(calls: httpx.AsyncClient, **members: Any) -> dict[str, Any]:
    answer = await calls.post(POSTS, json={"title": "A day at sea", "content": "Wind.", **members})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def about(person: Person, post: dict[str, Any], version: int) -> dict[str, Any]:
    return {"post_id": post["id"], "author_id": str(person.id), "version": version}


async def unfinished(app: Litestar) -> int:
    statement = select(QueuedJob).where(QueuedJob.name.not_like("posts.%"))
    async with core_of(app).database.independent() as unit:
        rows = (await unit.session.execute(statement)).scalars()
        return sum(each.status != "succeeded" for each in rows)


async def test_each_event_of_ones_own_posts_is_delivered(deployment: Deployment, inbox: Receiver) -> None:
    app = await deployment.start(**ENVIRONMENT)
    people = People(app)
    ada, stranger = await people.create(), await people.create()
    async with people.client(ada) as calls, people.client(stranger) as others:
        webhook = await subscribe(calls, inbox)
        await make(others, is_published=True)
        post = await make(calls)
        url = f"{POSTS}/{post['id']}"
        await calls.post(f"{url}/publish")
        await calls.post(f"{url}/publish")
        await calls.patch(url, json={"title": "Two days"})
        await calls.patch(url, json={"title": "Two days"})
        await calls.delete(url)
    await until(lambda: len(inbox.received) >= 3, 30)

    async def nothing_waits() -> bool:
        return not await unfinished(app)

    await until_it_holds(nothing_waits)

    assert delivered(inbox, webhook) == [
        ("post.published", about(ada, post, 2)),
        ("post.updated", about(ada, post, 3)),
        ("post.deleted", about(ada, post, 4)),
    ]
    assert len(inbox.received) == 3


async def test_a_scheduled_post_is_announced_once_and_a_postponed_one_is_not(
    deployment: Deployment, inbox: Receiver
) -> None:
    """Two workers, so that two announce it at the same time; the others' jobs run as well, and find nothing."""
    app = await deployment.start(**ENVIRONMENT)
    await deployment.start(**ENVIRONMENT)
    people = People(app)
    ada = await people.create()
    async with people.client(ada) as calls:
        before = utc_now()
        webhook = await subscribe(calls, inbox)
        pace = utc_now() - before
        soon = (utc_now() + max(timedelta(seconds=6), 20 * pace)).isoformat()  # after the seven requests that follow
        post, hidden, put_off, deleted = [await make(calls, published_at=soon) for _ in range(4)]
        await calls.post(f"{POSTS}/{hidden['id']}/unpublish")
        later = (utc_now() + timedelta(days=3)).isoformat()
        await calls.post(f"{POSTS}/{put_off['id']}/publish", json={"published_at": later})
        await calls.delete(f"{POSTS}/{deleted['id']}")

        def is_announced() -> bool:
            return any(kind == "post.published" for kind, _ in delivered(inbox, webhook))

        async def nothing_waits() -> bool:
            return not await unfinished(app)

        await until(is_announced)
        await until_it_holds(nothing_waits)
        public = (await calls.get(f"/api/v1/users/{ada.id}/posts")).json()["items"]

    assert [each["id"] for each in public] == [post["id"]]
    assert delivered(inbox, webhook) == [
        ("post.updated", about(ada, hidden, 2)),
        ("post.updated", about(ada, put_off, 2)),
        ("post.deleted", about(ada, deleted, 2)),
        ("post.published", about(ada, post, 1)),
    ]
    async with core_of(app).database.independent() as unit:
        kinds = (
            await unit.session.execute(select(StoredEvent.kind).where(StoredEvent.aggregate_type == "post"))
        ).scalars()
        assert sorted(kinds) == ["post.deleted", "post.published", "post.updated", "post.updated"]

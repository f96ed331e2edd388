"""What waits for an endpoint is bounded, and of several changes of one thing only the newest waits."""

import asyncio
from uuid import UUID

import httpx
from litestar import Litestar

from app.domain.webhooks.models import WebhookDelivery
from app.lib.db.base import new_id
from app.lib.jobs.tables import QueuedJob
from tests.domain.accounts.answers import is_refused, rows
from tests.domain.webhooks.attempts import WEBHOOKS, Attempts, make_webhook
from tests.support.apps import Deployment, core_of
from tests.support.people import People, Person
from tests.support.receivers import answering, forever, receiver, saying, sender_to
from tests.support.waiting import until_it_holds

_ME = "/api/v1/users/me"


async def test_a_newer_change_takes_the_place_of_one_that_was_not_tried(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    await make_webhook(calls)
    (delivery,) = await attempts.publish(about=caller, version=2)
    events = [new_id() for _ in range(3)]
    for version, event_id in enumerate(events, 3):
        assert await attempts.publish(about=caller, version=version, event_id=event_id) == []
    again = await attempts.publish(about=caller, version=5, event_id=events[-1])

    async with receiver() as one:
        assert await attempts.deliver(delivery, sender_to(one.port)) is None

    assert again == []
    assert [request.headers["webhook-id"] for request in one.received] == [str(events[-1])]
    assert len(await rows(app, WebhookDelivery)) == 1
    assert len(await rows(app, QueuedJob, QueuedJob.name == "webhooks.deliver")) == 1


async def test_other_changes_keep_their_own_delivery(
    people: People, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    boss, other = await people.create(is_superuser=True), await people.create()
    await make_webhook(calls, boss, kinds=["user.updated", "user.deleted"])
    (tried,) = await attempts.publish(about=caller, version=2)
    async with receiver(answering(500)) as one:
        await attempts.deliver(tried, sender_to(one.port))

    for kind, about, version in (
        ("user.updated", caller, 5),
        ("user.updated", caller, 4),  # older than the one before
        ("user.deleted", caller, 6),
        ("user.deleted", caller, 7),
        ("user.updated", other, 6),
    ):
        assert len(await attempts.publish(kind, about=about, version=version)) == 1


async def test_a_change_during_the_attempt_is_sent_next(
    calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    await make_webhook(calls)
    first, second = new_id(), new_id()
    (delivery,) = await attempts.publish(about=caller, version=2, event_id=first)
    arrived, answer = asyncio.Event(), asyncio.Event()

    async def slowly(writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await answer.wait()
        await answering(200)(writer)

    async with receiver(slowly) as one:
        attempt = asyncio.create_task(attempts.deliver(delivery, sender_to(one.port)))
        await arrived.wait()
        assert await attempts.publish(about=caller, version=3, event_id=second) == []
        answer.set()
        outcomes = [await attempt, await attempts.deliver(delivery, sender_to(one.port))]

    assert outcomes == [0, None]
    assert [request.headers["webhook-id"] for request in one.received] == [str(first), str(second)]
    assert (await attempts.delivery(delivery)).status == "succeeded"


async def test_beyond_the_bound_a_delivery_has_failed_and_can_be_replayed_later(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    url = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}"
    limit = 1_000
    waiting = [*await attempts.publish(about=caller)]
    async with core_of(app).database.independent() as unit:  # far quicker than as many events
        for _ in range(limit - 1):
            values = {"endpoint_id": UUID(url[-36:]), "event_id": new_id(), "kind": "user.updated", "body": "{}"}
            unit.session.add(WebhookDelivery(**values, status="pending", attempts=0))

    assert await attempts.publish(about=caller) == []

    (refused,) = (await calls.get(f"{url}/deliveries", params={"status": "failed"})).json()["items"]
    assert (refused["failure"], refused["attempts"], refused["next_attempt_at"]) == ("too_many_pending", 0, None)
    assert len(await rows(app, QueuedJob, QueuedJob.name == "webhooks.deliver")) == 1
    for path in ("test", f"deliveries/{refused['id']}/retry"):
        is_refused(await calls.post(f"{url}/{path}"), 409, "conflict")
    async with receiver() as one:
        await attempts.deliver(waiting[0], sender_to(one.port))
        retried = await calls.post(f"{url}/deliveries/{refused['id']}/retry")
        assert (retried.status_code, retried.json()["status"]) == (200, "pending")
        assert await attempts.deliver(UUID(refused["id"]), sender_to(one.port)) is None


async def test_many_edits_and_endpoints_that_never_answer_leave_little(deployment: Deployment) -> None:
    """Over HTTP, with a worker and endpoints that take a request and say nothing."""
    app = await deployment.start(JOBS_WORKER="inside", WEBHOOKS_ALLOW_PRIVATE="true", RATE_LIMIT_ENABLED="false")
    people = People(app)
    person = await people.create()
    edits, endpoints = 30, 4

    async def is_fanned_out() -> bool:
        waiting = rows(app, QueuedJob, QueuedJob.name.like("event:webhooks:%"), QueuedJob.status != "succeeded")
        return not await waiting

    async with receiver(saying(then=forever), tls=False) as silent, people.client(person) as calls:
        hooks = [await make_webhook(calls, url=f"http://127.0.0.1:{silent.port}/in") for _ in range(endpoints)]
        for number in range(edits):
            assert (await calls.patch(_ME, json={"name": f"Name {number}"})).status_code == 200
        await until_it_holds(is_fanned_out)

        for hook in hooks:
            listed = (await calls.get(f"{WEBHOOKS}/{hook['id']}/deliveries")).json()
            assert 1 <= listed["total"] < edits

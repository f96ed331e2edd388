"""GET /webhooks/{id}/deliveries, POST …/retry and POST /webhooks/{id}/test."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import update

from app.domain.webhooks.jobs import sweep_deliveries
from app.domain.webhooks.models import WebhookDelivery
from app.domain.webhooks.repositories import PURGE
from app.lib.clock import utc_now
from app.lib.db.url import DatabaseURL
from app.lib.jobs import NoPayload
from app.lib.jobs.tables import QueuedJob
from app.lib.webhooks.sender import WebhookSender
from tests.domain.accounts.answers import field_errors, is_refused, rows
from tests.domain.webhooks.attempts import WEBHOOKS, Attempts, context_of, make_webhook
from tests.support.apps import core_of, running_app
from tests.support.databases import empty
from tests.support.people import People, Person
from tests.support.receivers import answering, receiver, sender_to


async def test_a_test_event_is_sent_without_a_subscription(calls: httpx.AsyncClient, attempts: Attempts) -> None:
    made = await make_webhook(calls, kinds=["user.deleted"])

    response = await calls.post(f"{WEBHOOKS}/{made['id']}/test")

    body = response.json()
    assert (response.status_code, body["kind"], body["status"], body["attempts"]) == (201, "webhook.test", "pending", 0)
    assert response.headers["location"] == f"{WEBHOOKS}/{made['id']}/deliveries/{body['id']}"
    assert (await calls.get(response.headers["location"])).json() == body
    async with receiver() as one:
        assert await attempts.deliver(UUID(body["id"]), sender_to(one.port)) is None
    assert b'"type":"webhook.test"' in one.received[0].body


async def test_a_test_event_is_tried_once_and_does_not_count_as_a_failure_of_the_webhook(
    calls: httpx.AsyncClient, attempts: Attempts
) -> None:
    url = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}"
    delivery = (await calls.post(f"{url}/test")).json()

    async with receiver(answering(500)) as one:
        assert await attempts.deliver(UUID(delivery["id"]), sender_to(one.port)) is None

    assert (await calls.get(url)).json()["first_failed_at"] is None


async def test_a_test_event_honours_idempotency_keys(app: Litestar, calls: httpx.AsyncClient) -> None:
    url = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}/test"

    first = await calls.post(url, headers={"Idempotency-Key": "once"})
    second = await calls.post(url, headers={"Idempotency-Key": "once"})

    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert len(await rows(app, WebhookDelivery)) == 1


@pytest.mark.parametrize("status", [200, 500])
async def test_a_delivery_is_retried_under_the_same_id(
    calls: httpx.AsyncClient, attempts: Attempts, caller: Person, status: int
) -> None:
    made = await make_webhook(calls)
    (delivery,) = await attempts.publish(about=caller)
    url = f"{WEBHOOKS}/{made['id']}/deliveries/{delivery}"
    async with receiver(answering(status)) as one:
        sender = sender_to(one.port)
        while await attempts.deliver(delivery, sender) is not None:
            pass
        stale = await calls.post(f"{url}/retry", headers={"If-Match": '"1"'})
        assert is_refused(stale, 412, "precondition_failed")
        retried = await calls.post(f"{url}/retry", headers={"If-Match": (await calls.get(url)).headers["etag"]})
        one.behaviour = answering(204)
        assert await attempts.deliver(delivery, sender) is None

    body = retried.json()
    assert (retried.status_code, body["status"], body["attempts"]) == (200, "pending", 0)
    assert body["next_attempt_at"]
    after = (await calls.get(url)).json()
    assert (after["status"], after["attempts"], after["response_status"]) == ("succeeded", 1, 204)
    assert len({request.headers["webhook-id"] for request in one.received}) == 1


async def live_jobs(app: Litestar) -> list[QueuedJob]:
    """The jobs of deliveries that wait or run."""
    return await rows(
        app, QueuedJob, QueuedJob.name == "webhooks.deliver", QueuedJob.status.in_(("pending", "running"))
    )


async def set_jobs(app: Litestar, **values: Any) -> None:
    async with core_of(app).database.independent() as unit:
        await unit.session.execute(update(QueuedJob).where(QueuedJob.name == "webhooks.deliver").values(**values))


async def test_a_replay_of_a_waiting_delivery_runs_its_job_now(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    """There is one job, however often a retry is asked for."""
    made = await make_webhook(calls)
    (delivery,) = await attempts.publish(about=caller)
    url = f"{WEBHOOKS}/{made['id']}/deliveries/{delivery}"
    async with receiver(answering(500)) as one:
        assert await attempts.deliver(delivery, sender_to(one.port)) is not None

    assert (await calls.post(f"{url}/retry")).json()["attempts"] == 1
    await set_jobs(app, run_at=utc_now() + timedelta(hours=5))
    again = await calls.post(f"{url}/retry")

    [job] = await live_jobs(app)
    assert (again.status_code, again.json()["status"]) == (200, "pending")
    assert job.run_at < utc_now() + timedelta(minutes=1)


async def test_a_running_delivery_or_one_of_an_inactive_webhook_is_not_retried(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    webhook = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}"
    (delivery,) = await attempts.publish(about=caller)
    retry = f"{webhook}/deliveries/{delivery}/retry"
    assert (await calls.post(retry)).status_code == 200
    await set_jobs(app, status="running")

    assert is_refused(await calls.post(retry), 409, "invalid_state")
    await set_jobs(app, status="succeeded")
    await calls.patch(webhook, json={"is_active": False})
    assert is_refused(await calls.post(retry), 409, "invalid_state")
    assert is_refused(await calls.post(f"{webhook}/test"), 409, "invalid_state")


async def test_a_delivery_whose_job_was_cancelled_gets_another(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    await make_webhook(calls)
    (orphan,), (fresh,) = await attempts.publish(about=caller), await attempts.publish(about=caller)
    await set_jobs(app, status="cancelled")
    async with core_of(app).database.independent() as unit:
        late = update(WebhookDelivery).where(WebhookDelivery.id == orphan)
        await unit.session.execute(late.values(next_attempt_at=utc_now() - timedelta(minutes=11)))

    for _ in range(2):
        await sweep_deliveries.run(NoPayload(), context_of(app))

    assert [job.key for job in await live_jobs(app)] == [str(orphan)]
    assert fresh != orphan


async def test_deliveries_are_listed_and_filtered(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    made = await make_webhook(calls, kinds=["user.updated", "user.registered"])
    await make_webhook(calls)  # whose deliveries are not shown
    url = f"{WEBHOOKS}/{made['id']}/deliveries"
    for kind in ("user.updated", "user.registered", "user.updated"):
        await attempts.publish(kind, about=caller)
    everything = (await calls.get(url)).json()["items"]
    async with core_of(app).database.independent() as unit:
        await unit.session.execute(
            update(WebhookDelivery).where(WebhookDelivery.id.in_([UUID(everything[0]["id"])])).values(status="failed")
        )

    async def ids(**parameters: object) -> list[str]:
        page = (await calls.get(url, params=parameters)).json()  # type: ignore[arg-type]  # plain values
        return [item["id"] for item in page["items"]]

    newest, middle, oldest = [item["id"] for item in everything]
    assert await ids(kind="user.updated") == [newest, oldest]
    assert await ids(kind=["user.updated", "user.registered"], sort="created_at") == [oldest, middle, newest]
    assert await ids(status="failed") == [newest]
    assert await ids(status=["failed", "pending"]) == [newest, middle, oldest]
    assert await ids(created_after=everything[1]["created_at"]) == [newest, middle]
    assert await ids(created_before=everything[1]["created_at"]) == [oldest]
    first = (await calls.get(url, params={"page_size": 2})).json()
    assert await ids(page_size=2, cursor=first["next_cursor"]) == [oldest]
    assert field_errors(await calls.get(url, params={"status": "lost"})) == {"status": "invalid_choice"}
    assert is_refused(await calls.get(url, params={"owner": "me"}), 400, "unknown_parameter")


async def test_a_cursor_of_one_webhook_is_not_good_for_another(
    calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    made = [await make_webhook(calls) for _ in range(2)]
    for _ in range(2):
        await attempts.publish(about=caller)
    urls = [f"{WEBHOOKS}/{each['id']}/deliveries" for each in made]
    cursor = (await calls.get(urls[0], params={"page_size": 1})).json()["next_cursor"]

    assert (await calls.get(urls[0], params={"page_size": 1, "cursor": cursor})).status_code == 200
    assert is_refused(await calls.get(urls[1], params={"cursor": cursor}), 400, "invalid_cursor")


async def test_old_deliveries_are_purged_and_pending_ones_stay(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    await make_webhook(calls)
    old, pending, young = [(await attempts.publish(about=caller))[0] for _ in range(3)]
    long_ago = utc_now() - timedelta(days=31)
    async with core_of(app).database.independent() as unit:
        for delivery, values in ((old, {"status": "failed"}), (pending, {}), (young, {"status": "succeeded"})):
            created = utc_now() if delivery == young else long_ago
            await unit.session.execute(
                update(WebhookDelivery).where(WebhookDelivery.id == delivery).values(created_at=created, **values)
            )

    async with core_of(app).database.independent() as unit:
        await unit.execute(PURGE, before=utc_now() - timedelta(days=30))

    assert {row.id for row in await rows(app, WebhookDelivery)} == {pending, young}


@pytest.mark.usefixtures("clock")
async def test_sending_by_hand_is_limited(calls: httpx.AsyncClient) -> None:
    url = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}/test"

    statuses = [(await calls.post(url)).status_code for _ in range(31)]

    assert statuses == [201] * 30 + [429]


async def test_development_allows_a_receiver_on_this_machine(database_url: DatabaseURL) -> None:
    async with running_app(database_url, WEBHOOKS_ALLOW_PRIVATE="true") as app, receiver(tls=False) as one:
        await empty(core_of(app).database)
        people, attempts = People(app), Attempts(app)
        async with people.client(await people.create()) as calls:
            made = await make_webhook(calls, url=f"http://127.0.0.1:{one.port}/in")
            delivery = (await calls.post(f"{WEBHOOKS}/{made['id']}/test")).json()
        assert await attempts.deliver(UUID(delivery["id"]), core_of(app).services.get(WebhookSender)) is None

    assert len(one.received) == 1

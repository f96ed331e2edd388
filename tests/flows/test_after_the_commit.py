"""From a request, by way of a job, to what happens elsewhere: through all parts, on real databases and servers."""

import asyncio
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import select
from standardwebhooks import Webhook

from app.lib.db.base import Base
from app.lib.events.tables import StoredEvent
from app.lib.jobs.tables import QueuedJob
from tests.support.apps import Deployment, client_of, core_of
from tests.support.links import run_mail_jobs
from tests.support.mailserver import MailServer
from tests.support.people import PASSWORD, People, Person
from tests.support.receivers import Receiver, answering
from tests.support.waiting import until, until_it_holds

REGISTER = "/api/v1/auth/register"
ME = "/api/v1/users/me"
USERS = "/api/v1/users"
WEBHOOKS = "/api/v1/webhooks"


def smtp(server: MailServer) -> dict[str, str]:
    return {"JOBS_WORKER": "inside", "RATE_LIMIT_ENABLED": "false", **server.settings}


async def register(app: Litestar, email: str) -> httpx.Response:
    async with client_of(app) as client:
        return await client.post(REGISTER, json={"email": email, "password": PASSWORD})


async def rows(app: Litestar, table: type[Base], *order: Any) -> list[Any]:
    async with core_of(app).database.independent() as unit:
        return list((await unit.session.execute(select(table).order_by(*order))).scalars())


async def events(app: Litestar) -> list[tuple[str, int]]:
    return [(each.kind, each.aggregate_version) for each in await rows(app, StoredEvent, StoredEvent.id)]


async def test_a_registration_is_mailed_once_by_one_of_the_workers(deployment: Deployment, mail: MailServer) -> None:
    workers = [await deployment.start(**smtp(mail)) for _ in range(3)]
    addresses = [f"person{number}@example.com" for number in range(12)]

    answers = await asyncio.gather(
        *(register(workers[number % 3], address) for number, address in enumerate(addresses))
    )
    again = await register(workers[0], addresses[0])
    await until(lambda: len(mail.messages) >= len(addresses), 30)

    assert {answer.status_code for answer in answers} == {201}
    assert again.status_code == 409
    await until_it_holds(lambda: all_done(workers[0]))
    assert sorted(mail.recipients) == sorted(addresses)
    assert len(set(mail.message_ids)) == len(addresses)


async def all_done(app: Litestar) -> bool:
    return {str(each.status) for each in await rows(app, QueuedJob)} <= {"succeeded"}


async def test_a_job_has_the_request_id_of_the_request_behind_it(deployment: Deployment) -> None:
    app = await deployment.start()

    answer = await register(app, "ada@example.com")

    jobs = await rows(app, QueuedJob)
    assert {each.name for each in jobs} == {"event:auth.confirm_address", "event:webhooks:user.registered"}
    assert {each.request_id for each in jobs} == {answer.headers["x-request-id"]}
    assert [each.request_id for each in await rows(app, StoredEvent)] == [answer.headers["x-request-id"]]


async def test_what_is_refused_leaves_neither_event_nor_job(deployment: Deployment) -> None:
    app = await deployment.start()
    await register(app, "ada@example.com")
    before = len(await rows(app, QueuedJob))

    assert (await register(app, "ADA@example.com")).status_code == 409
    assert (await register(app, "no-address")).status_code == 422

    assert len(await rows(app, QueuedJob)) == before
    assert await events(app) == [("user.registered", 1)]


async def test_every_change_publishes_an_event_with_its_version(app: Litestar, people: People) -> None:
    boss = await people.create(is_superuser=True)
    await people.role("cook")
    async with people.client(boss) as calls:
        made = await calls.post(USERS, json={"email": "ada@example.com", "password": PASSWORD})
        url = f"{USERS}/{made.json()['id']}"
        await calls.patch(url, json={"name": "Ada"})
        await calls.patch(url, json={"name": "Ada"})
        await calls.put(f"{url}/roles", json={"roles": ["cook"]})
        await calls.post(f"{url}/deactivate")
        await calls.post(f"{url}/activate")
        version = (await calls.get(url)).json()["version"]
        assert (await calls.delete(url)).status_code == 204

    assert await events(app) == [
        ("user.registered", 1),
        ("user.updated", 2),
        ("user.updated", 3),
        ("user.deactivated", 4),
        ("user.updated", 4),
        ("user.updated", 5),
        ("user.deleted", 6),
    ]
    assert version == 5


async def subscribe(app: Litestar, person: Person, inbox: Receiver, *kinds: str) -> dict[str, Any]:
    body = {"url": f"http://127.0.0.1:{inbox.port}/in", "kinds": list(kinds)}
    async with client_of(app, headers=person.headers) as calls:
        answer = await calls.post(WEBHOOKS, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def delivery_statuses(app: Litestar, person: Person, webhook_id: str) -> list[str]:
    async with client_of(app, headers=person.headers) as calls:
        page = (await calls.get(f"{WEBHOOKS}/{webhook_id}/deliveries")).json()
    return [each["status"] for each in page["items"]]


async def test_a_webhook_gets_signed_what_its_owner_may_know(deployment: Deployment, inbox: Receiver) -> None:
    app = await deployment.start(JOBS_WORKER="inside", WEBHOOKS_ALLOW_PRIVATE="true")
    people = People(app)
    ada, stranger = await people.create(), await people.create()
    webhook = await subscribe(app, ada, inbox, "user.updated", "user.registered")

    for person in (stranger, ada):
        async with people.client(person) as calls:
            assert (await calls.patch(ME, json={"name": "A New Name"})).status_code == 200
    await register(app, "eve@example.com")
    await until(lambda: len(inbox.received) >= 1, 20)
    await until_it_holds(lambda: all_done(app))

    [sent] = inbox.received
    data = Webhook(webhook["secret"]).verify(sent.body, sent.headers)
    assert (data["type"], data["data"]) == ("user.updated", {"user_id": str(ada.id)})
    assert sent.headers["webhook-id"] == str((await rows(app, StoredEvent, StoredEvent.id))[1].id)
    assert await delivery_statuses(app, ada, webhook["id"]) == ["succeeded"]


async def test_a_receiver_that_fails_is_called_again_and_delays_no_other(
    deployment: Deployment, mail: MailServer, inbox: Receiver
) -> None:
    app = await deployment.start(WEBHOOKS_ALLOW_PRIVATE="true", **smtp(mail))
    people = People(app)
    boss = await people.create(is_superuser=True)
    inbox.behaviour = answering(500)
    webhook = await subscribe(app, boss, inbox, "user.registered")

    await register(app, "ada@example.com")
    await until(lambda: bool(inbox.received) and bool(mail.messages), 20)
    inbox.behaviour = answering(204)
    await until(lambda: len(inbox.received) >= 2, 30)
    await until_it_holds(lambda: all_done(app))

    first, second = inbox.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert await delivery_statuses(app, boss, webhook["id"]) == ["succeeded"]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
async def test_operators_retry_failed_work(deployment: Deployment, mail: MailServer, status: str) -> None:
    """A dead or cancelled job of a mail is retried over HTTP, and the mail goes out then."""
    quiet = await deployment.start(**{**smtp(mail), "JOBS_WORKER": "off"})
    boss = await People(quiet).create(permissions=["jobs:manage"])
    await register(quiet, "ada@example.com")
    await run_mail_jobs(quiet)
    async with client_of(quiet, headers=boss.headers) as calls:
        [job] = (await calls.get("/api/v1/jobs?kind=mail.send")).json()["items"]
        if status == "cancelled":
            assert (await calls.post(f"/api/v1/jobs/{job['id']}/cancel")).status_code == 200
        else:
            await bury(quiet, job["id"])
        await deployment.start(**smtp(mail))
        assert mail.messages == []

        answer = await calls.post(f"/api/v1/jobs/{job['id']}/retry")

    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    await until(lambda: len(mail.messages) == 1, 20)


async def bury(app: Litestar, job_id: str) -> None:
    async with core_of(app).database.independent() as unit:
        for each in (await unit.session.execute(select(QueuedJob))).scalars():
            if str(each.id) == job_id:
                each.status = "failed"

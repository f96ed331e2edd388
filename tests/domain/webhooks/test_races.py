"""Attempts, events and the owner's own changes at the same time, without an error."""

import asyncio

import httpx
import pytest
from litestar import Litestar

from app.domain.webhooks.models import WebhookDelivery
from app.lib.jobs.tables import QueuedJob
from tests.domain.accounts.answers import rows
from tests.domain.webhooks.attempts import WEBHOOKS, Attempts, make_webhook
from tests.support.people import Person
from tests.support.receivers import answering, receiver, sender_to

MANY = 8

pytestmark = pytest.mark.asvs("15.4.2")


async def test_attempts_and_changes_at_the_same_time(
    calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    url = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}"
    waiting = [(await attempts.publish(about=caller))[0] for _ in range(MANY)]

    async with receiver(answering(500)) as one:
        sender = sender_to(one.port)
        outcomes, answers, _ = await asyncio.gather(
            asyncio.gather(*[attempts.deliver(each, sender) for each in waiting]),
            asyncio.gather(
                *[calls.patch(url, json={"description": f"Number {i}"}) for i in range(MANY)],
                *[calls.post(f"{url}/rotate-secret") for _ in range(3)],
            ),
            asyncio.gather(*[attempts.publish(about=caller) for _ in range(MANY)]),
        )

    assert None not in outcomes
    assert {answer.status_code for answer in answers} == {200}
    assert (await calls.get(url)).json()["first_failed_at"]


async def test_a_webhook_deleted_amid_attempts_and_events_leaves_nothing(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    url = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}"
    waiting = [(await attempts.publish(about=caller))[0] for _ in range(MANY)]

    async with receiver(answering(500)) as one:
        sender = sender_to(one.port)
        *outcomes, deleted = await asyncio.gather(
            *[attempts.deliver(each, sender) for each in waiting], calls.delete(url)
        )

    assert all(outcome is None or outcome > 0 for outcome in outcomes if not isinstance(outcome, httpx.Response))
    assert isinstance(deleted, httpx.Response)
    assert deleted.status_code == 204
    assert await rows(app, WebhookDelivery) == []


async def test_a_receiver_that_is_gone_is_disabled_once(
    calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    url = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}"
    waiting = [(await attempts.publish(about=caller))[0] for _ in range(MANY)]

    async with receiver(answering(410)) as one:
        sender = sender_to(one.port)
        outcomes = await asyncio.gather(*[attempts.deliver(each, sender) for each in waiting])

    assert set(outcomes) == {None}
    assert len(attempts.heard) == 1
    assert (await calls.get(url)).json()["version"] == 2


async def test_many_replays_make_one_job(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    made = await make_webhook(calls)
    (delivery,) = await attempts.publish(about=caller)
    async with receiver() as one:
        await attempts.deliver(delivery, sender_to(one.port))
    url = f"{WEBHOOKS}/{made['id']}/deliveries/{delivery}/retry"

    answers = await asyncio.gather(*[calls.post(url) for _ in range(MANY)])

    assert {answer.status_code for answer in answers} == {200}
    assert len(await rows(app, QueuedJob, QueuedJob.name == "webhooks.deliver")) == 1

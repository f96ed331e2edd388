"""Attempts against a real server: what is recorded, when the next one is, and when it is enough."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import update
from standardwebhooks import Webhook, WebhookVerificationError

from app.domain.webhooks.events import WebhookDisabled
from app.domain.webhooks.models import WebhookDelivery, WebhookEndpoint
from app.domain.webhooks.services.deliver import FAILING_FOR, LONGEST_WAIT, RETRY
from app.lib.clock import utc_now
from app.lib.security import resealing
from app.lib.security.resealing import reseal_all
from app.lib.security.sealing import Sealer
from tests.domain.accounts.answers import USERS, audited, rows
from tests.domain.webhooks.attempts import WEBHOOKS, Attempts, make_webhook
from tests.support.apps import core_of
from tests.support.people import People, Person
from tests.support.receivers import answering, receiver, sender_to


async def change(app: Litestar, model: Any, **values: Any) -> None:
    """Sets columns of every row of a table."""
    async with core_of(app).database.independent() as unit:
        await unit.session.execute(update(model).values(**values))


async def shown(calls: httpx.AsyncClient, webhook: dict[str, Any], delivery: UUID) -> dict[str, Any]:
    found: dict[str, Any] = (await calls.get(f"{WEBHOOKS}/{webhook['id']}/deliveries/{delivery}")).json()
    return found


async def test_a_delivery_is_signed_accepted_and_done(
    calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    made = await make_webhook(calls)
    (delivery,) = await attempts.publish(about=caller)
    async with receiver(answering(200, b"thanks")) as one:
        outcome = await attempts.deliver(delivery, sender_to(one.port))

    (request,) = one.received
    row = await shown(calls, made, delivery)
    assert outcome is None
    assert Webhook(made["secret"]).verify(request.body, request.headers)["data"] == {"user_id": str(caller.id)}
    assert request.headers["webhook-id"] == row["event_id"]
    assert (row["status"], row["attempts"], row["next_attempt_at"], row["failure"]) == ("succeeded", 1, None, None)
    assert (row["response_status"], row["response_body"], row["version"]) == (200, "thanks", 2)
    assert row["last_attempt_at"]
    assert row["duration_ms"] >= 0


async def test_what_has_succeeded_is_not_sent_again(
    calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    await make_webhook(calls)
    (delivery,) = await attempts.publish(about=caller)
    async with receiver() as one:
        outcomes = [await attempts.deliver(delivery, sender_to(one.port)) for _ in range(3)]

    assert outcomes == [None] * 3
    assert len(one.received) == 1


async def test_a_failed_delivery_is_retried_as_standard_webhooks_says_and_then_fails(
    calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    made = await make_webhook(calls)
    (delivery,) = await attempts.publish(about=caller)
    async with receiver(answering(500, b"oh no")) as one:
        sender = sender_to(one.port)
        for planned in RETRY.delays:
            wait = await attempts.deliver(delivery, sender)
            assert wait is not None
            assert planned * 0.8 <= wait <= planned
            row = await shown(calls, made, delivery)
            assert (row["status"], row["failure"], row["response_status"]) == ("pending", "refused", 500)
            assert row["next_attempt_at"] > row["last_attempt_at"]
        assert await attempts.deliver(delivery, sender) is None

    row = await shown(calls, made, delivery)
    assert (row["status"], row["attempts"], row["next_attempt_at"], row["failure"]) == ("failed", 10, None, "refused")
    assert len({request.headers["webhook-id"] for request in one.received}) == 1
    assert {request.body for request in one.received} == {one.received[0].body}
    for request in one.received:
        Webhook(made["secret"]).verify(request.body, request.headers)


@pytest.mark.parametrize(
    ("asked", "lowest", "highest"), [("600", 600, 600), ("1", 4, 5), (str(30 * 86_400), LONGEST_WAIT, LONGEST_WAIT)]
)
async def test_retry_after_makes_the_wait_longer_and_never_shorter(
    calls: httpx.AsyncClient, attempts: Attempts, caller: Person, asked: str, lowest: float, highest: float
) -> None:
    await make_webhook(calls)
    (delivery,) = await attempts.publish(about=caller)
    async with receiver(answering(429, retry_after=asked)) as one:
        wait = await attempts.deliver(delivery, sender_to(one.port))

    assert wait is not None
    assert lowest <= wait <= highest


async def test_410_ends_the_webhook(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    made = await make_webhook(calls)
    (delivery,) = await attempts.publish(about=caller)
    (waiting,) = await attempts.publish(about=caller)
    async with receiver(answering(410)) as one:
        sender = sender_to(one.port)
        outcomes = [await attempts.deliver(delivery, sender), await attempts.deliver(waiting, sender)]

    webhook = (await calls.get(f"{WEBHOOKS}/{made['id']}")).json()
    assert outcomes == [None, None]
    assert [(await attempts.delivery(each)).failure for each in (delivery, waiting)] == ["refused", "webhook_inactive"]
    assert len(one.received) == 1
    assert (webhook["is_active"], webhook["disabled_reason"], webhook["version"]) == (False, "gone", 2)
    assert await attempts.publish(about=caller) == []
    (event,) = await audited(app, "webhook.disabled")
    assert (str(event.subject_id), event.actor_id, event.details) == (made["id"], None, {"reason": "gone"})
    assert attempts.heard == [
        WebhookDisabled(aggregate_id=UUID(made["id"]), aggregate_version=2, owner_id=caller.id, reason="gone")
    ]


@pytest.mark.parametrize(("failing_for", "is_active"), [(FAILING_FOR, False), (FAILING_FOR / 2, True)])
async def test_after_days_without_success_it_is_disabled(
    app: Litestar,
    calls: httpx.AsyncClient,
    attempts: Attempts,
    caller: Person,
    failing_for: timedelta,
    is_active: bool,
) -> None:
    made = await make_webhook(calls)
    url = f"{WEBHOOKS}/{made['id']}"
    (delivery,) = await attempts.publish(about=caller)
    async with receiver(answering(500)) as one:
        sender = sender_to(one.port)
        await attempts.deliver(delivery, sender)
        assert (await calls.get(url)).json()["first_failed_at"]
        await change(app, WebhookEndpoint, first_failed_at=utc_now() - failing_for)
        assert await attempts.deliver(delivery, sender) is not None
        assert (await calls.get(url)).json()["is_active"], "not before a delivery has failed for good"
        assert await attempts.deliver(delivery, sender, attempt=RETRY.attempts) is None

    webhook = (await calls.get(url)).json()
    assert (webhook["is_active"], webhook["disabled_reason"]) == (is_active, None if is_active else "failing")
    assert len(await audited(app, "webhook.disabled")) == (0 if is_active else 1)

    revived = (await calls.patch(url, json={"is_active": True})).json()
    assert (revived["is_active"], revived["disabled_reason"]) == (True, None)
    assert (revived["first_failed_at"] is None) == (not is_active)


async def test_a_success_clears_former_failures(calls: httpx.AsyncClient, attempts: Attempts, caller: Person) -> None:
    url = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}"
    (delivery,) = await attempts.publish(about=caller)
    async with receiver(answering(500)) as one:
        await attempts.deliver(delivery, sender_to(one.port))
        failing = (await calls.get(url)).json()
        one.behaviour = answering(204)
        await attempts.deliver(delivery, sender_to(one.port))

    assert failing["first_failed_at"]
    assert (await calls.get(url)).json()["first_failed_at"] is None


async def test_a_rotated_secret_signs_for_another_day(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    made = await make_webhook(calls)
    rotated = (await calls.post(f"{WEBHOOKS}/{made['id']}/rotate-secret")).json()
    deliveries = [(await attempts.publish(about=caller))[0] for _ in range(2)]
    async with receiver() as one:
        sender = sender_to(one.port)
        await attempts.deliver(deliveries[0], sender)
        await change(app, WebhookEndpoint, former_secret_expires_at=utc_now() - timedelta(seconds=1))
        await attempts.deliver(deliveries[1], sender)

    first, second = one.received
    for secret in (made["secret"], rotated["secret"]):
        Webhook(secret).verify(first.body, first.headers)
    Webhook(rotated["secret"]).verify(second.body, second.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(second.body, second.headers)


Spoil = Callable[[People, Person, httpx.AsyncClient, str], Awaitable[Any]]


async def switch_off(_people: People, _owner: Person, calls: httpx.AsyncClient, url: str) -> None:
    assert (await calls.patch(url, json={"is_active": False})).status_code == 200


async def ban(people: People, owner: Person, _calls: httpx.AsyncClient, _url: str) -> None:
    async with people.client(await people.create(is_superuser=True)) as boss:
        assert (await boss.post(f"{USERS}/{owner.id}/deactivate")).status_code == 200


async def delete(_people: People, _owner: Person, calls: httpx.AsyncClient, url: str) -> None:
    assert (await calls.delete(url)).status_code == 204


@pytest.mark.parametrize(
    ("spoil", "failures"),
    [(switch_off, ["webhook_inactive"]), (ban, ["webhook_inactive"]), (delete, [])],
)
async def test_a_webhook_that_is_off_or_gone_receives_no_waiting_delivery(
    app: Litestar,
    calls: httpx.AsyncClient,
    people: People,
    attempts: Attempts,
    caller: Person,
    spoil: Spoil,
    failures: list[str],
) -> None:
    url = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}"
    (delivery,) = await attempts.publish(about=caller)
    await spoil(people, caller, calls, url)

    async with receiver() as one:
        assert await attempts.deliver(delivery, sender_to(one.port)) is None

    assert one.received == []
    assert [row.failure for row in await rows(app, WebhookDelivery)] == failures


async def test_a_webhook_that_is_deleted_during_the_attempt_is_no_error(
    calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    url = f"{WEBHOOKS}/{(await make_webhook(calls))['id']}"
    (delivery,) = await attempts.publish(about=caller)

    async with receiver() as one:
        answer = one.behaviour

        async def delete_first(writer: Any) -> None:
            assert (await calls.delete(url)).status_code == 204
            await answer(writer)

        one.behaviour = delete_first
        assert await attempts.deliver(delivery, sender_to(one.port)) is None

    assert len(one.received) == 1


async def test_of_two_attempts_at_once_one_is_counted(
    calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    """As after a worker was taken for dead that was only slow: its job runs elsewhere, too."""
    await make_webhook(calls)
    (delivery,) = await attempts.publish(about=caller)
    outcomes = []

    async with receiver() as one:
        sender = sender_to(one.port)
        refuse = answering(500)

        async def overtaken(writer: Any) -> None:
            one.behaviour = refuse
            outcomes.append(await attempts.deliver(delivery, sender))
            await refuse(writer)

        one.behaviour = overtaken
        outcomes.append(await attempts.deliver(delivery, sender))

    assert None not in outcomes
    assert (await attempts.delivery(delivery)).attempts == 1


async def test_the_secret_key_may_be_rotated(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    made = await make_webhook(calls)
    await calls.post(f"{WEBHOOKS}/{made['id']}/rotate-secret")
    deliveries = [(await attempts.publish(about=caller))[0] for _ in range(3)]
    core = core_of(app)
    new, both = Sealer(b"n" * 32), Sealer(b"n" * 32, [core.keys.derive("sealing")])

    async with receiver() as one:
        sender = sender_to(one.port)
        lost = await attempts.deliver(deliveries[0], sender, sealer=new)
        assert await attempts.deliver(deliveries[1], sender, sealer=both) is None
        assert await reseal_all(core.database, both) == {"resealed": 2}
        assert await attempts.deliver(deliveries[2], sender, sealer=new) is None

    assert lost is not None  # until the operator has put the former key back
    assert (await attempts.delivery(deliveries[0])).failure == "secret_unreadable"
    for request in one.received:
        Webhook(made["secret"]).verify(request.body, request.headers)
    (row,) = await rows(app, WebhookEndpoint)
    assert row.first_failed_at is None  # it is not the receiver that failed


async def test_resealing_goes_on_where_it_stopped_and_past_what_no_key_opens(
    app: Litestar, calls: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [await make_webhook(calls) for _ in range(3)]
    core = core_of(app)
    both = Sealer(b"n" * 32, [core.keys.derive("sealing")])
    monkeypatch.setattr(resealing, "_BATCH", 2)
    async with core.database.independent() as unit:
        await unit.session.execute(
            update(WebhookEndpoint).where(WebhookEndpoint.id == UUID(made[0]["id"])).values(secret=b"broken")
        )

    assert await reseal_all(core.database, both) == {"resealed": 2, "unreadable": 1}
    assert await reseal_all(core.database, both) == {"unreadable": 1}
    found = {str(row.id): both.is_current(row.secret) for row in await rows(app, WebhookEndpoint)}
    assert [found[each["id"]] for each in made] == [False, True, True]


async def test_nothing_of_the_exchange_is_logged(
    calls: httpx.AsyncClient,
    attempts: Attempts,
    caller: Person,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    made = await make_webhook(calls, url="https://hooks.example.com/in?token=hunter2")
    (delivery,) = await attempts.publish(about=caller)
    with caplog.at_level(logging.DEBUG):
        async with receiver(answering(500, b"stolen words")) as one:
            await attempts.deliver(delivery, sender_to(one.port))

    said = "".join(capfd.readouterr()) + caplog.text
    assert "webhook.attempted" in said
    assert made["id"] in said
    for secret in (made["secret"], "hunter2", "stolen words"):
        assert secret not in said

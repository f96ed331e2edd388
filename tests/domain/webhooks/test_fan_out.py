"""Who gets which event, decided by the rights that they have at that moment."""

import asyncio
import json

import httpx
import msgspec
import pytest
from litestar import Litestar

from app.domain.accounts.models import UserRole
from app.domain.webhooks.models import WebhookDelivery
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.webhooks.kinds import kinds_by_name
from tests.domain.accounts.answers import USERS, rows
from tests.domain.webhooks.attempts import KINDS, WEBHOOKS, Attempts, make_webhook
from tests.support.people import People, Person


async def recipients(app: Litestar, deliveries: list[object]) -> set[str]:
    found = await rows(app, WebhookDelivery, WebhookDelivery.id.in_(deliveries))
    return {str(row.endpoint_id) for row in found}


async def test_an_event_goes_to_those_who_may_receive_it(app: Litestar, people: People, attempts: Attempts) -> None:
    owners = {
        "themselves": await people.create(),
        "reader": await people.create(permissions=["users:read"]),
        "superuser": await people.create(is_superuser=True),
        "stranger": await people.create(),
        "other rights": await people.create(permissions=["roles:read", "users:write"]),
    }
    async with people.client() as calls:
        made = {name: (await make_webhook(calls, owner))["id"] for name, owner in owners.items()}

    deliveries = await attempts.publish(about=owners["themselves"])

    expected = {made[name] for name in ("themselves", "reader", "superuser")}
    assert await recipients(app, [*deliveries]) == expected


async def test_only_active_webhooks_with_the_subscription_receive_it(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    wanted = await make_webhook(calls, kinds=["user.deleted", "user.updated"])
    await make_webhook(calls, kinds=["user.deleted"])
    await make_webhook(calls, is_active=False)

    assert await recipients(app, [*await attempts.publish(about=caller)]) == {wanted["id"]}


@pytest.mark.parametrize("loses", ["the role", "the account's activity"])
async def test_rights_are_those_of_the_moment(app: Litestar, people: People, attempts: Attempts, loses: str) -> None:
    boss = await people.create(is_superuser=True)
    owner = await people.create(permissions=["users:read"])
    async with people.client(boss) as calls:
        await make_webhook(calls, owner)
        assert len(await attempts.publish()) == 1
        if loses == "the role":
            await calls.put(f"{USERS}/{owner.id}/roles", json={"roles": []})
            assert await rows(app, UserRole, UserRole.user_id == owner.id) == []
        else:
            assert (await calls.post(f"{USERS}/{owner.id}/deactivate")).status_code == 200

    assert await attempts.publish() == []


async def test_the_same_event_makes_no_second_delivery(
    calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    await make_webhook(calls)
    event_id = new_id()

    first = await attempts.publish(about=caller, event_id=event_id)
    second = await make_webhook(calls)
    later = await attempts.publish(about=caller, event_id=event_id)
    again = await attempts.publish(about=caller, event_id=event_id)

    assert (len(first), len(later), again) == (1, 1, [])
    assert str((await attempts.delivery(later[0])).endpoint_id) == second["id"]


async def test_the_same_event_at_the_same_time_makes_one_delivery(
    app: Litestar, calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    await make_webhook(calls)
    event_id = new_id()
    others = [Attempts(app) for _ in range(4)]

    made = await asyncio.gather(*[each.publish(about=caller, event_id=event_id) for each in [attempts, *others]])

    assert sorted(len(each) for each in made) == [0, 0, 0, 0, 1]


async def test_the_message_is_what_the_specification_says(
    calls: httpx.AsyncClient, attempts: Attempts, caller: Person
) -> None:
    await make_webhook(calls)
    at = utc_now()

    (delivery,) = await attempts.publish(about=caller, at=at)

    message = json.loads((await attempts.delivery(delivery)).body)
    assert message == {
        "type": "user.updated",
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "data": {"user_id": str(caller.id)},
    }


async def test_many_webhooks_get_the_event(people: People, attempts: Attempts) -> None:
    boss = await people.create(is_superuser=True)
    async with people.client(boss) as calls:
        made = await asyncio.gather(*[make_webhook(calls) for _ in range(20)])
        deliveries = await attempts.publish()
        page = (await calls.get(f"{WEBHOOKS}/{made[0]['id']}/deliveries")).json()

    assert len(deliveries) == len(set(deliveries)) == 20
    assert [item["status"] for item in page["items"]] == ["pending"]


def test_a_kind_is_declared_once() -> None:
    kind = KINDS["user.updated"]
    other = msgspec.structs.replace(kind)

    assert kinds_by_name([kind, kind]) == {"user.updated": kind}
    with pytest.raises(ValueError, match=r"user\.updated"):
        kinds_by_name([kind, other])

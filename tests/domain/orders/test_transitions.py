"""The status machine over HTTP: every move, by everybody, from everywhere."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from app.domain.orders.machine import TRANSITIONS, Role, Status, allowed, require_transition
from app.lib.errors import PermissionDenied
from tests.support.people import People
from tests.support.shop import API, Shop

VERBS = ["pay", "cancel", "ship", "deliver", "refund"]
WAY_TO = {
    "pending": [],
    "paid": ["pay"],
    "shipped": ["pay", "ship"],
    "delivered": ["pay", "ship", "deliver"],
    "cancelled": ["cancel"],
    "refunded": ["pay", "refund"],
}


async def order_that_is(shop: Shop, status: str) -> dict[str, Any]:
    product = await shop.product()
    order = await shop.order((product["id"], 2))
    for verb in WAY_TO[status]:
        answer = await shop.act(shop.buys if verb in {"pay", "cancel"} else shop.boss, order, verb)
        assert answer.status_code == 200, answer.text
    order = await shop.show(order)
    assert order["status"] == status
    return order


@pytest.mark.parametrize("status", list(WAY_TO))
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.STAFF])
async def test_each_move_answers_as_the_table_says(shop: Shop, status: str, verb: str, role: Role) -> None:
    order = await order_that_is(shop, status)
    client = shop.buys if role is Role.CUSTOMER else shop.boss

    answer = await shop.act(client, order, verb)

    targets = {
        move.target.value for move in TRANSITIONS if move.name == verb and role in move.by and status in move.sources
    }
    if targets:
        assert answer.status_code == 200, answer.text
        assert {answer.json()["status"]} == targets
        assert answer.json() == await shop.show(order)
    elif not any(move.name == verb and role in move.by for move in TRANSITIONS):
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    else:
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
        assert answer.json()["allowed"] == allowed(status, {role})
        assert answer.json()["order_status"] == status


async def test_the_timeline_begins_with_the_order_and_has_every_change(shop: Shop) -> None:
    order = await order_that_is(shop, "delivered")
    await shop.act(shop.boss, order, "refund")

    events = (await shop.buys.get(f"{API}/orders/{order['id']}/events")).json()["items"]

    assert [(each["kind"], each["actor"]) for each in events] == [
        ("placed", "customer"),
        ("paid", "customer"),
        ("shipped", "staff"),
        ("delivered", "staff"),
        ("refunded", "staff"),
    ]
    events = await shop.rows("SELECT kind, aggregate_version FROM events ORDER BY aggregate_version")
    kinds = [row.kind for row in events]
    assert kinds == ["order.placed", "order.paid", "order.shipped", "order.delivered", "order.refunded"]


async def test_a_cancelled_order_gives_its_stock_back_once(shop: Shop) -> None:
    product = await shop.product(stock=10)
    order = await shop.order((product["id"], 4))

    answers = await asyncio.gather(*(shop.act(shop.buys, order, "cancel") for _ in range(5)))

    assert Counter(each.status_code for each in answers) == {200: 1, 409: 4}
    assert await shop.stock(product) == 10


async def test_a_paid_order_that_is_cancelled_gives_the_money_back(shop: Shop) -> None:
    product = await shop.product(stock=10, amount="2.50")
    order = await shop.paid((product["id"], 4))

    answer = await shop.act(shop.boss, order, "cancel")

    assert answer.json()["refunded"] == {"amount": "10.00", "currency": "EUR"}
    assert await shop.stock(product) == 10
    assert [row.amount_units for row in await shop.rows("SELECT amount_units FROM order_refunds")] == [1000]
    assert await shop.timeline(order) == ["placed", "paid", "cancelled"]


@pytest.mark.parametrize("verb", VERBS)
async def test_another_customers_order_is_not_found(shop: Shop, people: People, verb: str) -> None:
    order = await order_that_is(shop, "paid")
    async with people.client(await people.create()) as stranger:
        answers = [
            await shop.act(stranger, order, verb),
            await stranger.get(f"{API}/orders/{order['id']}"),
            await stranger.get(f"{API}/orders/{order['id']}/events"),
            await stranger.patch(f"{API}/orders/{order['id']}", json={"notes": "mine"}),
        ]

    assert {each.status_code for each in answers} == {404}


async def test_who_only_reads_orders_changes_none(shop: Shop, people: People) -> None:
    order = await order_that_is(shop, "paid")
    async with people.client(await people.create(permissions=["orders:read"])) as reader:
        answers = [await shop.act(reader, order, verb) for verb in VERBS]
        answers.append(await reader.patch(f"{API}/orders/{order['id']}", json={"notes": "seen"}))

    assert {each.status_code for each in answers} == {403}


async def test_who_only_changes_orders_reads_none(shop: Shop, people: People) -> None:
    order = await order_that_is(shop, "paid")
    async with people.client(await people.create(permissions=["orders:write"])) as worker:
        url = f"{API}/orders/{order['id']}"
        unseen = [await worker.get(each) for each in (url, f"{url}/events")]
        listed = (await worker.get(f"{API}/orders")).json()
        export = await worker.get(f"{API}/orders/export")
        done = [await shop.act(worker, order, verb) for verb in ("ship", "deliver", "refund")]

    assert [each.status_code for each in unseen] == [404, 404]
    assert (listed["items"], listed["total"], export.status_code) == ([], 0, 403)
    assert [each.json()["status"] for each in done] == ["shipped", "delivered", "refunded"]


async def notes(client: httpx.AsyncClient, order: dict[str, Any], text: str | None, **headers: str) -> httpx.Response:
    return await client.patch(f"{API}/orders/{order['id']}", json={"notes": text}, headers=headers)


async def test_notes_change_while_an_order_is_pending(shop: Shop) -> None:
    order = await order_that_is(shop, "pending")

    written = await notes(shop.buys, order, "Ring twice.")
    stale = await notes(shop.buys, order, "Knock.", **{"If-Match": '"1"'})
    cleared = await notes(shop.buys, order, None, **{"If-Match": '"2"'})
    too_long = await notes(shop.buys, order, "x" * 501)
    await shop.act(shop.buys, order, "pay")
    late = await notes(shop.buys, order, "Too late.")

    assert (written.json()["notes"], written.json()["version"]) == ("Ring twice.", 2)
    assert (stale.status_code, cleared.json()["notes"], too_long.status_code) == (412, None, 422)
    assert (late.status_code, late.json()["code"]) == (409, "invalid_state")


def test_every_status_but_the_last_ones_leads_somewhere() -> None:
    ends = {status for status in Status if not allowed(status, set(Role))}

    assert ends == {Status.CANCELLED, Status.REFUNDED}


def test_only_the_service_lets_orders_expire() -> None:
    with pytest.raises(PermissionDenied):
        require_transition("expire", "pending", {Role.CUSTOMER, Role.STAFF})

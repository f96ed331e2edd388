"""Why an order is cancelled or refunded, which lines were, and where to follow the parcel: kept, shown and sent."""

from typing import Any

import msgspec
import pytest

from app.domain.accounts.events import UserErasing
from app.lib.mail.templates import MailTemplates
from tests.support.apps import core_of
from tests.support.shop import API, SEND, Shop

TRACKING = {"carrier": "DHL", "number": "0034", "url": "https://track.example.com/0034"}


async def mails_of(shop: Shop) -> list[tuple[str, str]]:
    """What the customer was mailed, and in which words."""
    templates = core_of(shop.app).services.get(MailTemplates)
    rows = await shop.rows("SELECT context FROM mails WHERE kind = 'order_changed' ORDER BY id")
    contexts = [row[0] if isinstance(row[0], dict) else msgspec.json.decode(row[0]) for row in rows]
    mails = [templates.render("order_changed", "de", {**each, "unsubscribe_url": None}) for each in contexts]
    return [(each.subject, each.text) for each in mails]


async def events_of(shop: Shop, order: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await shop.buys.get(f"{API}/orders/{order['id']}/events")).json()["items"]
    return items


async def published(shop: Shop, order: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    rows = await shop.rows(f"SELECT payload FROM events WHERE kind = '{kind}' ORDER BY id")  # noqa: S608 - of the tests
    return [each for row in rows if (each := msgspec.json.decode(row[0]))["aggregate_id"] == order["id"]]


async def test_a_refund_keeps_its_reason_and_its_lines(shop: Shop) -> None:
    mug, pen = await shop.product(amount="5.00", name="Mug"), await shop.product(amount="0.30", name="Pen")
    order = await shop.paid((mug["id"], 2), (pen["id"], 3))
    lines = [{"product_id": pen["id"], "quantity": 2, "restock": False}]

    part = await shop.act(shop.boss, order, "refund", json={"items": lines, "reason": "Dried out.\nSorry!"})
    await shop.run_jobs(SEND)
    rest = await shop.act(shop.boss, order, "refund")

    assert (part.status_code, rest.status_code) == (200, 200)
    page = (await shop.buys.get(f"{API}/orders/{order['id']}/refunds", params={"page_size": 1})).json()
    [first] = page["items"]
    pens = {
        "product_id": pen["id"],
        "sku": pen["sku"],
        "name": "Pen",
        "quantity": 2,
        "amount": {"amount": "0.60", "currency": "EUR"},
        "restock": False,
    }
    assert (page["total"], first["items"], first["reason"]) == (2, [pens], "Dried out.\nSorry!")
    assert (first["status"], first["amount"]["amount"], first["settled_at"] is None) == ("succeeded", "0.60", False)
    after = {"page_size": 1, "cursor": page["next_cursor"]}
    [second] = (await shop.buys.get(f"{API}/orders/{order['id']}/refunds", params=after)).json()["items"]
    assert [(each["name"], each["quantity"], each["amount"]["amount"]) for each in second["items"]] == [
        ("Mug", 2, "10.00"),
        ("Pen", 1, "0.30"),
    ]
    assert (second["status"], second["reason"], second["settled_at"]) == ("processing", None, None)
    shown = [(each["kind"], each["reason"], each["refund_id"], each["items"]) for each in await events_of(shop, order)]
    assert shown == [
        ("placed", None, None, []),
        ("paid", None, None, []),
        ("refunded", "Dried out.\nSorry!", first["id"], [pens]),
        ("refunded", None, second["id"], second["items"]),
    ]
    sent = [(each["reason"], each["refund_id"]) for each in await published(shop, order, "order.refunded")]
    assert sent == [("Dried out.\nSorry!", first["id"]), (None, second["id"])]


async def test_a_cancellation_keeps_its_reason_until_the_customer_is_forgotten(shop: Shop) -> None:
    product = await shop.product(amount="5.00")
    unpaid, paid = await shop.order((product["id"], 1)), await shop.paid((product["id"], 2))
    webhook = {"url": "https://receiver.example.com/webhooks", "kinds": ["order.cancelled"]}
    assert (await shop.boss.post(f"{API}/webhooks", json=webhook)).status_code == 201

    answers = [
        await shop.act(shop.buys, unpaid, "cancel", json={"reason": "Too slow."}),
        await shop.act(shop.boss, paid, "cancel", json={"reason": "Out of print."}),
    ]

    assert [each.json()["status"] for each in answers] == ["cancelled", "cancelled"]
    assert [(each["kind"], each["reason"]) for each in await events_of(shop, unpaid)][1:] == [
        ("cancelled", "Too slow.")
    ]
    last = (await events_of(shop, paid))[-1]
    [refund] = (await shop.boss.get(f"{API}/orders/{paid['id']}/refunds")).json()["items"]
    assert (last["reason"], last["refund_id"], last["items"]) == ("Out of print.", refund["id"], refund["items"])
    assert refund["reason"] == "Out of print."
    [sent] = await published(shop, paid, "order.cancelled")
    assert (sent["reason"], sent["number"], sent["refund_id"]) == ("Out of print.", paid["number"], refund["id"])
    await shop.run_jobs("event:webhooks:order.cancelled")
    bodies = [msgspec.json.decode(body) for (body,) in await shop.rows("SELECT body FROM webhook_deliveries")]
    assert {each["data"]["reason"] for each in bodies} == {"Too slow.", "Out of print."}
    async with core_of(shop.app).database.independent() as unit:
        await core_of(shop.app).events.publish(unit, UserErasing(user_id=shop.customer.id))
    bodies = [msgspec.json.decode(body) for (body,) in await shop.rows("SELECT body FROM webhook_deliveries")]
    assert [(each["type"], each["data"]["reason"]) for each in bodies] == [("order.cancelled", None)] * 2
    assert await shop.rows("SELECT 1 FROM order_events WHERE reason IS NOT NULL") == []
    assert await published(shop, paid, "order.cancelled") == [{**sent, "reason": None}]
    assert [each["reason"] for each in await published(shop, unpaid, "order.cancelled")] == [None]


async def test_tracking_is_given_added_corrected_and_removed_by_staff(shop: Shop) -> None:
    product = await shop.product()
    order, other = await shop.paid((product["id"], 1)), await shop.paid((product["id"], 1))
    url, later = f"{API}/orders/{order['id']}", f"{API}/orders/{other['id']}"

    early = await shop.boss.patch(url, json={"tracking": TRACKING})
    shipped = await shop.act(shop.boss, order, "ship", json={"tracking": TRACKING})
    theirs = await shop.buys.patch(url, json={"tracking": {"number": "1"}})
    corrected = await shop.boss.patch(url, json={"tracking": {"number": "0035"}})
    same = await shop.boss.patch(url, json={"tracking": {"number": "0035"}, "notes": None})
    nothing = await shop.boss.patch(url, json={})
    await shop.act(shop.boss, other, "ship")
    half = await shop.boss.patch(later, json={"tracking": {"carrier": "UPS"}})
    added = await shop.boss.patch(later, json={"tracking": {"carrier": "UPS", "number": "1Z"}})
    removed = await shop.boss.patch(later, json={"tracking": None})

    assert (early.status_code, theirs.status_code, same.status_code) == (409, 403, 409)
    assert (shipped.status_code, shipped.json()["tracking"]) == (200, TRACKING)
    assert corrected.json()["tracking"] == {**TRACKING, "number": "0035"}
    assert (nothing.status_code, nothing.json()) == (200, corrected.json())
    assert (half.status_code, half.json()["errors"][0]["pointer"]) == (422, "/tracking/number")
    assert added.json()["tracking"] == {"carrier": "UPS", "number": "1Z", "url": None}
    assert removed.json()["tracking"] is None
    assert await shop.timeline(order) == ["placed", "paid", "shipped", "tracking_updated"]
    assert (await published(shop, order, "order.shipped"))[0]["tracking"] == TRACKING
    assert (await published(shop, order, "order.tracking_updated"))[0]["tracking"]["number"] == "0035"


async def test_customers_are_mailed_what_others_do_with_their_orders(shop: Shop) -> None:
    product = await shop.product(amount="5.00")
    order, other = await shop.paid((product["id"], 2)), await shop.order((product["id"], 1))
    lines = [{"product_id": product["id"], "quantity": 1}]

    await shop.act(shop.buys, other, "cancel", json={"reason": "Buy at evil.example!"})
    await shop.act(shop.boss, order, "ship", json={"tracking": TRACKING})
    await shop.boss.patch(f"{API}/orders/{order['id']}", json={"tracking": {"number": "0035"}})
    await shop.boss.patch(f"{API}/orders/{order['id']}", json={"tracking": None})
    await shop.act(shop.boss, order, "refund", json={"items": lines, "reason": "One was <b>broken</b>."})

    number, mails = order["number"], await mails_of(shop)
    assert [subject for subject, _ in mails] == [
        f"Bestellung {number} ist bezahlt",
        f"Bestellung {number} ist unterwegs",
        f"Neue Sendungsnummer für Bestellung {number}",
        f"Erstattung für Bestellung {number}",
    ]
    assert "10.00 EUR" in mails[0][1]
    assert TRACKING["url"] in mails[1][1]
    assert "DHL" in mails[1][1]
    assert "0035" in mails[2][1]
    assert "5.00 EUR" in mails[3][1]
    assert "Grund: One was <b>broken</b>." in mails[3][1]


async def test_customers_are_mailed_why_staff_cancelled(shop: Shop) -> None:
    order = await shop.paid(((await shop.product(amount="5.00"))["id"], 2))

    await shop.act(shop.boss, order, "cancel", json={"reason": "Sold out."})

    subject, text = (await mails_of(shop))[-1]
    assert subject == f"Bestellung {order['number']} wurde storniert"
    assert "10.00 EUR" in text
    assert "Grund: Sold out." in text


@pytest.mark.parametrize(
    "url", ["http://track.example.com/1", "https://10.0.0.1/1", "https://a:b@track.example.com/", "javascript:alert(1)"]
)
async def test_tracking_is_a_public_https_url(shop: Shop, url: str) -> None:
    order = await shop.paid(((await shop.product())["id"], 1))

    answer = await shop.act(shop.boss, order, "ship", json={"tracking": {**TRACKING, "url": url}})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/tracking/url")


@pytest.mark.parametrize("reason", ["", " ", "x" * 501, "a\u0007"])
async def test_a_reason_is_a_bounded_text(shop: Shop, reason: str) -> None:
    order = await shop.paid(((await shop.product())["id"], 1))

    answers = [await shop.act(shop.boss, order, verb, json={"reason": reason}) for verb in ("cancel", "refund")]

    assert [each.status_code for each in answers] == [422, 422]
    assert [each.json()["errors"][0]["pointer"] for each in answers] == ["/reason", "/reason"]

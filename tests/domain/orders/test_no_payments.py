"""A deployment that takes no money, and one that changes who takes it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from litestar import Litestar

from app.domain.orders.services.provider import NoProvider, PaymentProvider
from app.domain.orders.services.sandbox import SandboxProvider
from tests.domain.orders.test_payments import BOOKS
from tests.support.apps import Deployment, client_of, core_of
from tests.support.databases import on_one_database
from tests.support.people import People
from tests.support.shop import API, SEND, SETTLE, Shop, open_shop, order_body, run_jobs

SECRET = "u6Yp3ZrQw9Lk2Vx8Nt4Bs7Hd1Fg5Jc0Ma"
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": SECRET,
    "PUBLIC_URL": "https://api.example.com",
    "RATE_LIMIT_ENABLED": "true",
}


@on_one_database
@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({}, SandboxProvider),
        ({"PAYMENT_PROVIDER": "test"}, SandboxProvider),
        ({"PAYMENT_PROVIDER": "none"}, NoProvider),
        (PRODUCTION, NoProvider),
        ({**PRODUCTION, "PAYMENT_PROVIDER": "none"}, NoProvider),
        ({**PRODUCTION, "PAYMENT_PROVIDER": "test", "ALLOW_TEST_PAYMENTS": "true"}, SandboxProvider),
        ({**PRODUCTION, "ALLOW_TEST_PAYMENTS": "true"}, NoProvider),
    ],
)
async def test_test_money_is_taken_in_production_only_on_purpose(
    deployment: Deployment, environ: dict[str, str], kind: type
) -> None:
    app = await deployment.start(**environ)

    async with client_of(app) as client:
        assert (await client.get("/health")).status_code == 200
    assert type(core_of(app).services.get(PaymentProvider)) is kind


@pytest_asyncio.fixture
async def shop(deployment: Deployment) -> AsyncIterator[Shop]:
    """At an app that takes test money."""
    app = await deployment.start()
    async with open_shop(app, People(app)) as shop:
        yield shop


@pytest_asyncio.fixture
async def none(deployment: Deployment) -> Litestar:
    """An app on the same database that takes no money."""
    return await deployment.start(PAYMENT_PROVIDER="none")


async def test_without_a_provider_an_order_is_placed_and_cancelled_but_not_paid(none: Litestar, shop: Shop) -> None:
    product = await shop.product(stock=5)
    async with client_of(none, headers=shop.customer.headers) as buys:
        order = (await buys.post(f"{API}/orders", json=order_body((product["id"], 2)))).json()
        refused = await shop.act(buys, order, "pay")
        other = await shop.act(buys, order, "pay", json={"method": "gold"})
        between = await shop.show(order)
        cancelled = await shop.act(buys, order, "cancel")

    assert [(each.status_code, each.json()["code"]) for each in (refused, other)] == [(409, "invalid_state")] * 2
    assert refused.json()["allowed"] == ["cancel"]
    assert (between["status"], between["payment_processing"]) == ("pending", False)
    assert cancelled.json()["status"] == "cancelled"
    assert await shop.rows("SELECT 1 FROM order_payments") == []
    assert await shop.stock(product) == 5


async def test_without_a_provider_another_customers_order_is_not_found(none: Litestar, shop: Shop) -> None:
    order = await shop.order(((await shop.product())["id"], 1))
    stranger = await People(shop.app).create(email="stranger@example.com")

    async with client_of(none, headers=stranger.headers) as client:
        assert (await shop.act(client, order, "pay")).status_code == 404


async def test_what_another_provider_began_waits_for_it(none: Litestar, shop: Shop) -> None:
    product = await shop.product(amount="5.00")
    unsettled, paid = await shop.order((product["id"], 1)), await shop.paid((product["id"], 1))
    await shop.act(shop.buys, unsettled, "pay", json={"method": "test_timeout"})
    await shop.act(shop.boss, paid, "refund")

    without = await run_jobs(core_of(none), SETTLE, SEND)
    books = [row.kind for row in await shop.rows(BOOKS)]
    within = await shop.run_jobs(SETTLE, SEND)

    assert (without, within) == (
        ["postponed", "postponed", "succeeded"],
        ["succeeded", "succeeded"],
    )  # one is settled already
    assert books == ["charge", "charge"]
    assert (await shop.show(unsettled))["status"] == "paid"

"""Products and orders for tests, made over HTTP as a client would."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
from litestar import Litestar
from sqlalchemy import text, update

from app.core import Core
from app.domain.orders.services.expire import ExpireService
from app.lib.db.base import new_id
from app.lib.db.instants import database_now_plus
from app.lib.jobs import JobStatus
from app.lib.jobs.execution import Executor
from app.lib.jobs.queue import claim_of, settle
from app.lib.jobs.tables import QueuedJob
from tests.support.apps import core_of
from tests.support.people import People, Person

API = "/api/v1"

_numbers = count(1)


def product_body(**values: Any) -> dict[str, Any]:
    """A product that is accepted."""
    number = next(_numbers)
    price = {"amount": values.pop("amount", "19.90"), "currency": values.pop("currency", "EUR")}
    return {"sku": f"SKU-{number}", "name": f"Product {number}", "price": price, "stock": 10, **values}


def order_body(*lines: tuple[str, int], **values: Any) -> dict[str, Any]:
    """An order of these products and quantities."""
    return {"items": [{"product_id": key, "quantity": quantity} for key, quantity in lines], **values}


@dataclass
class Shop:
    """A customer and two of the staff, each with a client."""

    app: Litestar
    customer: Person
    buys: httpx.AsyncClient
    sells: httpx.AsyncClient
    boss: httpx.AsyncClient

    async def product(self, **values: Any) -> dict[str, Any]:
        answer = await self.sells.post(f"{API}/products", json=product_body(**values))
        assert answer.status_code == 201, answer.text
        product: dict[str, Any] = answer.json()
        return product

    async def order(self, *lines: tuple[str, int], **values: Any) -> dict[str, Any]:
        answer = await self.buys.post(f"{API}/orders", json=order_body(*lines, **values))
        assert answer.status_code == 201, answer.text
        order: dict[str, Any] = answer.json()
        return order

    async def paid(self, *lines: tuple[str, int]) -> dict[str, Any]:
        order = await self.order(*lines)
        answer = await self.act(self.buys, order, "pay")
        assert answer.status_code == 200, answer.text
        paid: dict[str, Any] = answer.json()
        return paid

    async def act(self, client: httpx.AsyncClient, order: dict[str, Any], verb: str, **options: Any) -> httpx.Response:
        return await client.post(f"{API}/orders/{order['id']}/{verb}", **options)

    async def run_jobs(self, *names: str, at_once: bool = True) -> list[str]:
        return await run_jobs(core_of(self.app), *names, at_once=at_once)

    async def show(self, order: dict[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = (await self.boss.get(f"{API}/orders/{order['id']}")).json()
        return shown

    async def timeline(self, order: dict[str, Any]) -> list[str]:
        events = (await self.boss.get(f"{API}/orders/{order['id']}/events")).json()["items"]
        return [each["kind"] for each in events]

    async def stock(self, product: dict[str, Any]) -> int:
        shown = (await self.sells.get(f"{API}/products/{product['id']}")).json()
        return int(shown["stock"])

    async def rows(self, statement: str) -> list[Any]:
        """What the database holds."""
        async with core_of(self.app).database.engine.connect() as connection:
            return list((await connection.execute(text(statement))).all())


@asynccontextmanager
async def open_shop(app: Litestar, people: People) -> AsyncIterator[Shop]:
    customer = await people.create()
    seller = await people.create(permissions=["products:write"])
    boss = await people.create(permissions=["orders:read", "orders:write"])
    async with people.client(customer) as buys, people.client(seller) as sells, people.client(boss) as bosses:
        yield Shop(app, customer, buys, sells, bosses)


SETTLE, SEND = "orders.settle_payment", "orders.send_refund"


async def run_jobs(core: Core, *names: str, at_once: bool = True) -> list[str]:
    """Runs the waiting jobs of these names once, also those of lost workers. Returns how they ended, sorted.

    ``at_once`` runs those, too, whose time has not come.
    """
    worker_id = new_id()
    async with core.job_database.independent() as unit:
        unfinished = QueuedJob.name.in_(names), QueuedJob.status.in_([JobStatus.PENDING, JobStatus.RUNNING])
        if at_once:
            values = {"run_at": database_now_plus(-1.0), "status": JobStatus.PENDING.value}
            await unit.session.execute(update(QueuedJob).where(*unfinished).values(**values))
        claimed = await unit.all(claim_of(names), limit=1_000, worker_id=worker_id, worker_name="test")
    executor = Executor(core.jobs, core.job_database, core.services, lambda *_: None)
    outcomes = await asyncio.gather(*(executor.run(each) for each in claimed))
    async with core.job_database.independent() as unit:
        await settle(unit, worker_id, outcomes)
    return sorted(each.ending.value for each in outcomes)


def expiry(app: Litestar) -> ExpireService:
    """What the job does that cancels unpaid orders."""
    return core_of(app).services.build(ExpireService)

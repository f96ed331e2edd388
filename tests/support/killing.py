"""A load of orders against a real server that is killed while it runs, and what must be true afterwards."""

import asyncio
import os
import random
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import select, text

from app.core import Core
from app.domain.orders.models import Order
from app.lib.db.url import DatabaseURL
from tests.support.apps import MANY_ORDERS, make_core
from tests.support.people import People, Person
from tests.support.processes import NO_TLS, Server, app_command, free_port, until_gone
from tests.support.shop import API, SETTLE, order_body, product_body, run_jobs

WORKERS = 2
CLIENTS = 12
AFTERWARDS = ("pay", "pay", "cancel", None)
"""What customers do with an order that they have placed, whether or not they hear what became of it."""
STOCKS = (100_000, 100_000, 100_000, 100_000, 40)
"""Enough for the whole load, and of one product too little: both happen all the time."""

INVARIANTS = {
    "stock is what the ledger says": """
        SELECT p.id FROM products p LEFT JOIN stock_movements m ON m.product_id = p.id
        GROUP BY p.id, p.stock HAVING p.stock <> coalesce(sum(m.delta), 0)""",
    "stock and what is sold are what was supplied": """
        SELECT p.id FROM products p
        WHERE p.stock
          + (SELECT coalesce(sum(i.quantity), 0) FROM order_items i JOIN orders o ON o.id = i.order_id
             WHERE i.product_id = p.id)
          - (SELECT coalesce(sum(m.delta), 0) FROM stock_movements m WHERE m.product_id = p.id AND m.kind = 'return')
         <> (SELECT coalesce(sum(m.delta), 0) FROM stock_movements m
             WHERE m.product_id = p.id AND m.order_id IS NULL)""",
    "what an order took is what its lines say": """
        SELECT i.order_id FROM order_items i WHERE i.quantity <>
          (SELECT coalesce(-sum(m.delta), 0) FROM stock_movements m
           WHERE m.order_id = i.order_id AND m.product_id = i.product_id AND m.kind = 'order')""",
    "no more goes back on the shelf than was taken": """
        SELECT i.order_id FROM order_items i WHERE i.quantity <
          (SELECT coalesce(sum(m.delta), 0) FROM stock_movements m
           WHERE m.order_id = i.order_id AND m.product_id = i.product_id AND m.kind = 'return')""",
    "all of a cancelled order that was never refunded is back": """
        SELECT i.order_id FROM order_items i JOIN orders o ON o.id = i.order_id
        WHERE o.status = 'cancelled' AND o.refunded_units = 0 AND i.quantity <>
          (SELECT coalesce(sum(m.delta), 0) FROM stock_movements m
           WHERE m.order_id = i.order_id AND m.product_id = i.product_id AND m.kind = 'return')
          AND NOT EXISTS (SELECT 1 FROM order_refunds r WHERE r.order_id = o.id)""",
    "totals are those of the lines": """
        SELECT o.id FROM orders o LEFT JOIN order_items i ON i.order_id = o.id
        GROUP BY o.id, o.total_units HAVING o.total_units <> coalesce(sum(i.total_units), -1)""",
    "lines are price times quantity": "SELECT 1 FROM order_items WHERE total_units <> unit_price_units * quantity",
    "what is paid was charged once": """
        SELECT o.id FROM orders o WHERE o.status = 'paid' AND 1 <>
          (SELECT count(*) FROM order_payments y JOIN test_provider_transactions t ON t.reference = y.id
           WHERE y.order_id = o.id AND t.outcome = 'succeeded' AND t.amount_units = o.total_units)""",
    "what was charged is paid": """
        SELECT y.id FROM test_provider_transactions t JOIN order_payments y ON y.id = t.reference
        JOIN orders o ON o.id = y.order_id
        WHERE t.kind = 'charge' AND t.outcome = 'succeeded' AND y.status <> 'succeeded'""",
    "every order was placed once": """
        SELECT o.id FROM orders o LEFT JOIN order_events e ON e.order_id = o.id AND e.kind = 'placed'
        GROUP BY o.id HAVING count(e.id) <> 1""",
}
"""Each select finds what breaks the rule."""


class Load:
    """Customers who order with a key each, pay, and repeat what was not answered."""

    def __init__(self, url: DatabaseURL, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.port = free_port()
        self.acknowledged: dict[str, str] = {}
        self.refused = 0
        self.cut_off = 0
        self._products: list[str] = []
        self._customers: list[Person] = []
        self._stop = asyncio.Event()

    def server(self) -> Server:
        environ = {
            "DATABASE_URL": self.url.url.render_as_string(hide_password=False),
            "SECRET_KEY": "a-key-that-is-only-for-tests-0123456789",
            "ENVIRONMENT": "test",
            "RATE_LIMIT_ENABLED": "false",
            "JOBS_WORKER": "off",
            "LOG_LEVEL": "error",
            **MANY_ORDERS,
        }
        command = app_command("serve", "--port", str(self.port), "--workers", str(WORKERS))
        return Server(command, self.folder, self.port, environ)

    async def prepare(self, core: Core) -> None:
        people = People(core)
        boss = await people.create(is_superuser=True)
        self._customers = [await people.create() for _ in range(CLIENTS)]
        async with self._client(boss) as client:
            for stock in STOCKS:
                answer = await client.post(f"{API}/products", json=product_body(stock=stock))
                self._products.append(answer.json()["id"])

    async def run(self) -> None:
        """Orders until :meth:`end`, and then until the last request has its answer."""
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(self._buy(number))

    def end(self) -> None:
        self._stop.set()

    async def _buy(self, number: int) -> None:
        async with self._client(self._customers[number]) as client:
            while not self._stop.is_set():
                key = f"{number}-{random.getrandbits(60)}"
                chosen = random.sample(self._products, random.randint(1, 3))  # noqa: S311 - no secret
                body = order_body(*[(each, random.randint(1, 2)) for each in chosen])  # noqa: S311 - no secret
                order_id = await self._until_answered(client, key, body)
                if order_id is not None and (verb := random.choice(AFTERWARDS)):  # noqa: S311 - no secret
                    with suppress(httpx.TransportError):
                        await client.post(f"{API}/orders/{order_id}/{verb}")

    async def _until_answered(self, client: httpx.AsyncClient, key: str, body: dict[str, Any]) -> str | None:
        """Repeats a request with its key for as long as it is not known what became of it."""
        while True:
            try:
                answer = await client.post(f"{API}/orders", json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                self.cut_off += 1
                await asyncio.sleep(0.1)
                continue
            if answer.status_code == 201:
                order_id = str(answer.json()["id"])
                assert self.acknowledged.setdefault(key, order_id) == order_id
                return order_id
            problem = answer.json()["code"]
            if problem == "insufficient_stock":
                self.refused += 1
                return None
            assert problem in {"unavailable", "idempotency_in_progress"}, answer.text
            await asyncio.sleep(0.1)

    def _client(self, person: Person) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}", headers=person.headers, timeout=30, verify=NO_TLS
        )


def kill(server: Server) -> None:
    """As a power cut would: the main process and all its workers at once."""
    workers = server.workers()
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait()
    until_gone(workers)


async def survive(url: DatabaseURL, folder: Path, *, kills: int, seconds: float) -> Load:
    """Runs the load through N kills with about this many seconds between them, and checks the books."""
    load = Load(url, folder)
    core = make_core(url, PORT=str(load.port))  # tokens name the server that they are for
    async with core.running():
        server = await start(load)
        try:
            await load.prepare(core)
            async with asyncio.TaskGroup() as group:
                group.create_task(load.run())
                for _ in range(kills):
                    await asyncio.sleep(seconds * random.uniform(0.5, 1.0))  # noqa: S311 - any moment
                    await asyncio.to_thread(kill, server)
                    server = await start(load)
                await asyncio.sleep(seconds)
                load.end()
        finally:
            kill(server)
        await check_books(core, load)
    return load


async def start(load: Load) -> Server:
    server = load.server()
    await asyncio.to_thread(server.until_it_answers, "/health/ready")
    return server


async def check_books(core: Core, load: Load) -> None:
    """Every acknowledged order is there once, no other is, and all rules hold."""
    while await run_jobs(core, SETTLE):  # takes a thousand at a time
        pass
    async with core.database.engine.connect() as connection:
        placed = [str(UUID(str(row[0]))) for row in await connection.execute(select(Order.id))]
        broken = {name: (await connection.execute(text(sql))).all() for name, sql in INVARIANTS.items()}
    assert sorted(placed) == sorted(load.acknowledged.values())
    assert {name: rows for name, rows in broken.items() if rows} == {}

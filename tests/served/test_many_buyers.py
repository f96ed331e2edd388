"""Two hundred people want one of fifty pieces, at once, from two worker processes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest_asyncio
from sqlalchemy import text

from app.core import Core
from app.lib.db.url import DatabaseURL
from tests.support.apps import MANY_ORDERS, make_core
from tests.support.killing import INVARIANTS
from tests.support.people import People, Person
from tests.support.processes import PATIENCE, Server, app_command, free_port
from tests.support.shop import API, order_body, product_body

BUYERS = 200
PIECES = 50
CUSTOMERS = 20
WORKERS = 2


@pytest_asyncio.fixture
async def core(own_url: DatabaseURL) -> AsyncIterator[Core]:
    """The same deployment, in this process: it makes people, and looks into the books."""
    core = make_core(own_url, PORT=str(free_port()))  # tokens name the server they are for
    async with core.running():
        yield core


@pytest_asyncio.fixture
async def server(core: Core, own_url: DatabaseURL, tmp_path: Path) -> AsyncIterator[Server]:
    environ = {
        **MANY_ORDERS,
        "DATABASE_URL": own_url.url.render_as_string(hide_password=False),
        "SECRET_KEY": core.settings.signing_secret,
        "RATE_LIMIT_ENABLED": "false",
        "JOBS_WORKER": "off",
        "LOG_LEVEL": "error",
    }
    port = core.settings.port
    command = app_command("serve", "--port", str(port), "--workers", str(WORKERS))
    with Server(command, tmp_path, port, environ) as server:
        await asyncio.to_thread(server.until_it_answers, "/health/ready")
        yield server
        assert await asyncio.to_thread(server.end) == 0


async def test_fifty_pieces_are_sold_fifty_times_by_several_workers(core: Core, server: Server) -> None:
    people = People(core)
    boss = await people.create(is_superuser=True)
    customers = [await people.create() for _ in range(CUSTOMERS)]
    limits = httpx.Limits(max_connections=BUYERS)
    base = f"http://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=base, limits=limits, timeout=PATIENCE) as client:
        product = (await client.post(f"{API}/products", json=product_body(stock=PIECES), headers=boss.headers)).json()

        outcomes = await asyncio.gather(
            *(buy(client, customers[number % CUSTOMERS], product["id"], number) for number in range(BUYERS))
        )
        left = (await client.get(f"{API}/products/{product['id']}")).json()["stock"]

    assert len(server.workers()) >= WORKERS
    assert Counter(outcomes) == {"sold": PIECES, "insufficient_stock": BUYERS - PIECES}
    assert left == 0
    async with core.database.engine.connect() as connection:
        sold = (await connection.execute(text("SELECT count(*), sum(quantity) FROM order_items"))).one()
        broken = {name for name, sql in INVARIANTS.items() if (await connection.execute(text(sql))).all()}
    assert tuple(sold) == (PIECES, PIECES)
    assert not broken


async def buy(client: httpx.AsyncClient, customer: Person, product_id: str, number: int) -> str:
    """The outcome. A buyer who is asked to come again later does so, with the same key."""
    headers = {**customer.headers, "Idempotency-Key": f"buyer-{number}"}
    while True:
        answer = await client.post(f"{API}/orders", json=order_body((product_id, 1)), headers=headers)
        if answer.status_code == 201:
            return "sold"
        code: str = answer.json()["code"]
        if code not in {"unavailable", "idempotency_in_progress"}:
            return code
        await asyncio.sleep(0.2)

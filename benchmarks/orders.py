"""Orders per second on PostgreSQL, next to the same statements sent by pgbench: ``just bench-orders --help``."""

import argparse
import asyncio
import json
import os
import random
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import insert

from app.core import Core
from app.domain.catalog.models import Product
from app.lib.clock import utc_now
from app.lib.db.url import DatabaseURL
from benchmarks import load, pgbench
from benchmarks.server import Server, serving
from tests.support.apps import MANY_ORDERS, client_of, core_of, running_app, settings_for
from tests.support.counting import written_statements
from tests.support.databases import migrate, postgresql_database, postgresql_server
from tests.support.people import People, Person

PUBLIC_URL = "http://bench.example.com"
PATH = "/api/v1/orders"
PRODUCTS = 1_000
STOCK = 10**9


def main() -> None:
    arguments = _arguments()
    with ExitStack() as stack:
        url = stack.enter_context(postgresql_database(stack.enter_context(postgresql_server())))
        migrate(url)
        customers, statements = asyncio.run(_prepare(url, arguments.connections))
        environ = {
            **MANY_ORDERS,
            "PUBLIC_URL": PUBLIC_URL,
            "DATABASE_URL": url.url.render_as_string(hide_password=False),
            "SECRET_KEY": settings_for(url).signing_secret,
            "RATE_LIMIT_DEFAULT": "1000000000/minute",
            "LOG_FORMAT": "json",
            "JOBS_WORKER": arguments.jobs,
        }
        cases = {"one hot product": 1, f"{PRODUCTS} products": PRODUCTS}
        with serving(environ, workers=arguments.workers) as server:
            served = {name: _measure(server, customers, count, arguments) for name, count in cases.items()}
        script = pgbench.script_of(statements, _words(customers[0]))
        sent = {name: pgbench.run(url, script, count, arguments) for name, count in cases.items()}
        report = {"cores": os.cpu_count(), **vars(arguments), "statements": len(statements), "served": served}
        print(json.dumps(report | {"pgbench": sent}, indent=2))


async def _prepare(url: DatabaseURL, count: int) -> tuple[list[Person], list[tuple[str, Any]]]:
    """Products and customers; and the statements of one order, as the service sends them."""
    async with running_app(url, PUBLIC_URL=PUBLIC_URL, RATE_LIMIT_ENABLED="false") as app:
        core: Core = core_of(app)
        async with core.database.engine.begin() as connection:
            await connection.execute(insert(Product), [_product(number) for number in range(1, PRODUCTS + 1)])
        people = People(core)
        customers = [await people.create() for _ in range(count)]
        async with client_of(app, headers=customers[0].headers) as client:
            with written_statements(app) as seen:
                answer = await client.post(PATH, content=_body(1), headers={"Content-Type": "application/json"})
            answer.raise_for_status()
    return customers, seen


def _product(number: int) -> dict[str, Any]:
    return {
        "id": UUID(int=number),
        "sku": f"SKU-{number}",
        "name": "Product",
        "name_key": "product",
        "search_text": "product",
        "price_units": 1990,
        "currency": "EUR",
        "stock": STOCK,
        "created_at": utc_now(),
    }


def _words(customer: Person) -> dict[object, str]:
    """What stands for a value of the one order that was recorded, in pgbench's script."""
    return {
        str(UUID(int=1)): pgbench.PRODUCT_ID,
        "SKU-1": "('SKU-' || :product::bigint)",
        str(customer.id): f"'{customer.id}'::uuid",
    }


def _body(number: int) -> bytes:
    return msgspec.json.encode({"items": [{"product_id": UUID(int=number), "quantity": 1}]})


def _measure(server: Server, customers: list[Person], products: int, arguments: argparse.Namespace) -> dict[str, Any]:
    def make(number: int) -> bytes:
        body = _body(random.randint(1, products))  # noqa: S311 - no secret
        return load.request_of("POST", PATH, customers[number].headers, body)

    size = {"connections": arguments.connections}
    asyncio.run(load.run_each(server.port, make, seconds=2, **size))
    cpu = server.cpu_seconds()
    result = asyncio.run(load.run_each(server.port, make, seconds=arguments.seconds, **size))
    return {
        "orders_per_second": round(result.statuses.get(201, 0) / arguments.seconds, 1),
        "p50_ms": round(result.quantile(50), 1),
        "p99_ms": round(result.quantile(99), 1),
        "cpu_ms_per_order": round((server.cpu_seconds() - cpu) / max(result.requests, 1) * 1000, 2),
        "statuses": result.statuses,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.orders", description=__doc__)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--jobs", choices=("inside", "off"), default="inside", help="whether jobs run, too")
    return parser.parse_args()


if __name__ == "__main__":
    main()

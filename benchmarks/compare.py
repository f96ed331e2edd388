"""Processor time per request of one or more checkouts, measured in turns: ``just bench-one compare --help``.

Each checkout has a virtual environment of its own, and a database of its own on the same PostgreSQL. Everything is
prepared by its command line and over HTTP, so that checkouts of any age can be compared.
"""

import argparse
import asyncio
import json
import os
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from sqlalchemy.engine import URL

from benchmarks import load
from benchmarks.load import Plan, Request
from benchmarks.server import Server, app_command, serving
from tests.support.apps import MANY_ORDERS
from tests.support.databases import postgresql_database, postgresql_server

API = "/api/v1"
EMAIL, PASSWORD = "bench@example.com", "correct horse battery staple 42"
PRODUCTS, POSTS = 200, 200


@dataclass
class Subject:
    """One checkout with its server, and how often and how long it was measured."""

    path: Path
    server: Server
    headers: dict[str, str] = field(default_factory=dict)
    user_id: str = ""
    products: list[str] = field(default_factory=list)
    measured: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def plans(self) -> dict[str, list[Plan]]:
        def get(path: str, *, anonymous: bool = False) -> list[Plan]:
            return [Plan([Request(API + path)], {} if anonymous else self.headers)]

        def post(path: str, *bodies: object) -> list[Plan]:
            """Each connection starts at another body."""
            requests = [load.post(API + path, body) for body in bodies]
            headers = {**self.headers, **load.JSON}
            return [Plan(requests[start:] + requests[:start], headers) for start in range(0, len(requests), 3)]

        orders = [{"items": [{"product_id": each, "quantity": 1}]} for each in self.products]
        return {
            "place an order": post("/orders", *orders),
            "create a post": post("/posts", _post(is_published=False)),
            "users/me": get("/users/me"),
            "users/{id}": get(f"/users/{self.user_id}"),
            "posts": get("/posts?page_size=20"),
            "products": get("/products?page_size=20"),
            "posts, anonymous": get("/posts?page_size=20", anonymous=True),
            "products, anonymous": get("/products?page_size=20", anonymous=True),
        }


def main() -> None:
    arguments = _arguments()
    load.install()
    with ExitStack() as stack:
        server = stack.enter_context(postgresql_server())
        subjects = [_start(path, server, stack, arguments) for path in arguments.checkouts]
        for subject in subjects:
            asyncio.run(_prepare(subject))
        for _ in range(arguments.rounds):
            for name in [each for each in subjects[0].plans() if arguments.only in each]:
                for subject in subjects:
                    _measure(subject, name, arguments)
        print(json.dumps({str(each.path): _summary(each) for each in subjects}, indent=2))


def _start(path: Path, server: URL, stack: ExitStack, arguments: argparse.Namespace) -> Subject:
    url = stack.enter_context(postgresql_database(server))
    environ = {
        **MANY_ORDERS,
        "DATABASE_URL": url.url.render_as_string(hide_password=False),
        "SECRET_KEY": "benchmark " * 5,
        "RATE_LIMIT_DEFAULT": "1000000000/minute",
        "LOG_FORMAT": "json",
        "JOBS_WORKER": arguments.jobs,
    }
    app = path / ".venv/bin/app"
    create = ["users", "create-superuser", "--email", EMAIL, "--password-stdin"]
    for command in (["db", "upgrade"], create):
        subprocess.run(  # noqa: S603 - the checkout's own command line
            [app, *command], cwd=path, env={**os.environ, **environ}, input=f"{PASSWORD}\n", text=True, check=True
        )
    return Subject(path, stack.enter_context(serving(app_command(app), environ, cwd=path, ready="/health/ready")))


async def _prepare(subject: Subject) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{subject.server.port}{API}", timeout=60) as client:
        answer = await client.post("/auth/login", json={"email": EMAIL, "password": PASSWORD})
        answer.raise_for_status()
        subject.headers = {"Authorization": f"Bearer {answer.json()['access_token']}", "Accept": "application/json"}
        client.headers.update(subject.headers)
        subject.user_id = (await client.get("/users/me")).json()["id"]
        for start in range(0, PRODUCTS, 100):
            items = [_product(number) for number in range(start, start + 100)]
            answer = await client.post("/products/batch", json={"items": items})
            answer.raise_for_status()
            subject.products += [each["id"] for each in answer.json()["items"]]
        for _ in range(POSTS):
            (await client.post("/posts", json=_post(is_published=True))).raise_for_status()


def _product(number: int) -> dict[str, Any]:
    price = {"amount": "19.90", "currency": "EUR"}
    return {"sku": f"SKU-{number}", "name": f"Product {number}", "price": price, "stock": 10**9}


def _post(*, is_published: bool) -> dict[str, Any]:
    return {
        "title": "A benchmark [<id>]",
        "content": "Some words. " * 40,
        "tags": ["bench"],
        "is_published": is_published,
    }


def _measure(subject: Subject, name: str, arguments: argparse.Namespace) -> None:
    plans, server = subject.plans()[name], subject.server
    load.run(server.port, plans, connections=arguments.connections, seconds=0.5)
    cpu = server.cpu_seconds()
    result = load.run(server.port, plans, connections=arguments.connections, seconds=arguments.seconds)
    if result.errors or not {200, 201}.issuperset(result.statuses):
        raise RuntimeError(f"{name} of {subject.path} was answered {result.statuses}, {result.errors} errors")
    micros = (server.cpu_seconds() - cpu) / result.requests * 1e6
    subject.measured.setdefault(name, []).append((micros, result.per_second))


def _summary(subject: Subject) -> dict[str, dict[str, int]]:
    return {
        name: {
            "cpu_us_per_request": round(median(micros for micros, _ in runs)),
            "requests_per_second": round(median(per_second for _, per_second in runs)),
        }
        for name, runs in subject.measured.items()
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.compare", description=__doc__)
    parser.add_argument("checkouts", nargs="*", type=Path, default=[Path.cwd()], help="folders, each with its .venv")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="part of the name of the requests to measure")
    parser.add_argument("--jobs", choices=("inside", "off"), default="inside", help="whether jobs run, too")
    return parser.parse_args()


if __name__ == "__main__":
    main()

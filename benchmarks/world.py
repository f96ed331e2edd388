"""What all servers serve: one PostgreSQL database with many users, posts and products, and those who ask for them."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
from sqlalchemy import insert, select, text

from app.asgi import DOMAINS
from app.core import Core
from app.domain.accounts.models import User
from app.domain.catalog.models import Product, ProductTag
from app.lib.clock import utc_now
from app.lib.db.url import DatabaseURL
from benchmarks.load import JSON, Plan, Request, post
from benchmarks.many_posts import seed_posts
from benchmarks.seed import seed_users
from tests.support.apps import MANY_ORDERS, client_of, running_app, settings_for
from tests.support.counting import written_statements
from tests.support.people import PASSWORD, People, Person

API = "/api/v1"
CUSTOMERS = 64
CHUNK = 1_000
POST = {"title": "A benchmark", "content": "Some words. " * 40, "tags": ["bench"]}
SOME = 100
"""Requests of one plan: enough that the connections together ask for thousands of rows."""

# Everything is on, limits included: they count, and never refuse.
ENVIRONMENT = {
    **MANY_ORDERS,
    "PUBLIC_URL": "http://bench.example.com",
    "ACCESS_TOKEN_EXPIRE_MINUTES": "1440",
    "RATE_LIMIT_DEFAULT": "1000000000/minute",
    "RATE_LIMIT_AUTH": "1000000000/minute",
    "MAX_OPEN_PER_ADDRESS": "100000",
    "LOG_LEVEL": "info",
    "LOG_FORMAT": "json",
    "DATABASE_POOL_SIZE": "10",
}


class Size(msgspec.Struct, frozen=True):
    users: int
    posts: int
    products: int


@dataclass
class World:
    """``environ`` is for all servers; ``cursors`` has one of each kind for the page after the seeded users, ``etag`` is
    ours of the first post."""

    size: Size
    url: DatabaseURL
    environ: dict[str, str]
    root: Person
    customers: list[Person]
    user_ids: list[UUID]
    slugs: list[str]
    cursors: dict[str, str] = field(default_factory=dict)
    etag: str = ""

    def plans(self, person: Person | None, paths: Sequence[str], **headers: str) -> list[Plan]:
        """Each connection starts at another one of the paths."""
        count = min(CUSTOMERS, len(paths))
        parts = [[Request(API + path) for path in paths[number::count]][:SOME] for number in range(count)]
        return [Plan(part, headers | (person.headers if person else {})) for part in parts]

    def orders(self, products: int) -> list[Plan]:
        """Orders of as many customers, each for one piece of one of the products."""

        count = min(products, self.size.products)

        def order(number: int) -> Request:
            item = {"product_id": str(UUID(int=1 + number % count)), "quantity": 1}
            return post(f"{API}/orders", {"items": [item]})

        starts = range(0, CUSTOMERS * 7, 7)
        return [
            Plan([order(start + n * 13) for n in range(SOME)], {**each.headers, **JSON})
            for start, each in zip(starts, self.customers, strict=True)
        ]

    def new_posts(self) -> list[Plan]:
        return [Plan([post(f"{API}/posts", POST | {"title": "A benchmark [<id>]"})], {**self.root.headers, **JSON})]

    def logins(self) -> list[Plan]:
        def login(person: Person) -> Plan:
            return Plan([post(f"{API}/auth/login", {"email": person.email, "password": PASSWORD})], JSON)

        return [login(each) for each in self.customers]


async def build(url: DatabaseURL, size: Size, folder: Path) -> World:
    settings = settings_for(url, **ENVIRONMENT)
    core = Core(settings, DOMAINS)
    async with core.running():
        await seed_users(core.database, size.users)
        if size.posts:
            await seed_posts(url, size.posts)
        await _seed_products(core, size.products)
        people = People(core)
        root = await people.create(email="bench@example.com", is_superuser=True)
        customers = [await people.create() for _ in range(CUSTOMERS)]
        async with core.database.engine.begin() as connection:
            oldest = await connection.scalars(select(User.id).order_by(User.created_at).limit(SOME * CUSTOMERS))
            user_ids = list(oldest)
            for name in ("users", "profiles", "products", "product_tags"):  # the posts' own are made with them
                await connection.execute(text(f"ANALYZE {name}"))
    recorded = folder / f"{url.url.get_backend_name()}.msgpack"
    recorded.write_bytes(msgspec.msgpack.encode(await _record(url, root, customers[0])))
    recorded.chmod(0o644)
    environ = ENVIRONMENT | _connection(url) | {"SECRET_KEY": settings.signing_secret, "RECORDED_WRITES": str(recorded)}
    public = [number for number in range(size.posts, 0, -1) if number % 20][: SOME * CUSTOMERS]
    return World(size, url, environ, root, customers, user_ids, [f"post-{number}" for number in public])


def _connection(url: DatabaseURL) -> dict[str, str]:
    """For SQLAlchemy one variable, for asyncpg and postgres.js those of libpq."""
    arguments = url.url.translate_connect_args(username="user") | dict(url.url.query)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "database": "PGDATABASE"}
    libpq = {names[name]: str(value) for name, value in arguments.items() if name in names}
    return libpq | {"DATABASE_URL": url.url.render_as_string(hide_password=False)}


async def _seed_products(core: Core, count: int) -> None:
    now = utc_now()
    for first in range(1, count + 1, CHUNK):
        numbers = range(first, min(first + CHUNK, count + 1))
        rows = [_product(number) | {"created_at": now + timedelta(milliseconds=number)} for number in numbers]
        tags = [
            {"product_id": UUID(int=number), "tag": tag}
            for number in numbers
            for tag in ("bench", f"shelf-{number % 50}")
        ]
        async with core.database.engine.begin() as connection:
            await connection.execute(insert(Product), rows)
            await connection.execute(insert(ProductTag), tags)


def _product(number: int) -> dict[str, Any]:
    return {
        "id": UUID(int=number),
        "sku": f"SKU-{number}",
        "name": "Product",
        "name_key": "product",
        "search_text": "product",
        "price_units": 1990,
        "currency": "EUR",
        "stock": 10**9,
    }


async def _record(url: DatabaseURL, root: Person, customer: Person) -> dict[str, Any]:
    """The statements of one post and of one order for product 1, as the service sends them."""
    writes = {"posts": (root, POST), "orders": (customer, {"items": [{"product_id": str(UUID(int=1)), "quantity": 1}]})}
    recorded = {}
    async with running_app(url, **ENVIRONMENT | {"LOG_LEVEL": "warning"}) as app, client_of(app) as client:
        for name, (person, body) in writes.items():
            with written_statements(app) as seen:
                answer = await client.post(f"{API}/{name}", json=body, headers=person.headers)
            answer.raise_for_status()
            statements = [(sql, [str(p) if isinstance(p, UUID) else p for p in values]) for sql, values in seen]
            known = {str(person.id), str(UUID(int=1))}
            recorded[name] = {
                "statements": statements,
                "answer": answer.text,
                "fresh": sorted(_fresh(statements) - known),
            }
    return recorded


_NEW = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}")


def _fresh(statements: Sequence[tuple[str, Sequence[Any]]]) -> set[str]:
    """The ids and digests among the parameters: those that have to be others in the next write."""
    return {value for _, values in statements for value in values if isinstance(value, str) and _NEW.fullmatch(value)}


def find_cursor_and_etag(world: World, port: int) -> None:
    """The cursor is from a walk to the depth of all seeded users, so that the next page has the first of them."""
    left = world.size.users
    query: dict[str, str] = {}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}{API}", timeout=60) as client:
        world.etag = client.get(f"/posts/{world.slugs[0]}").raise_for_status().headers["etag"]
        client.headers.update(world.root.headers)
        while left:
            size = {"page_size": str(min(left, 100)), "include_total": "false"}
            page = client.get("/users", params=query | size).raise_for_status().json()
            left -= len(page["items"])
            query = {"cursor": page["next_cursor"]}
        last = page["items"][-1]
        plain = msgspec.json.encode([last["created_at"], last["id"]])
        world.cursors = {"signed": page["next_cursor"], "plain": base64.urlsafe_b64encode(plain).rstrip(b"=").decode()}

"""Answers to anonymous readers are kept until what they depend on is written, and for a second at most."""

import re
from uuid import UUID

import httpx
from litestar import Litestar
from sqlalchemy import update

from app.domain.posts.models import Post
from app.lib.db.base import metadata, table_of
from app.lib.http.answers import PUBLIC_ANSWER
from tests.contract.routes import operations
from tests.domain.posts.writing import POSTS, scheduled, write
from tests.support.apps import core_of
from tests.support.counting import counted_statements
from tests.support.people import People, Person
from tests.support.shop import product_body
from tests.support.waiting import until_it_holds

_READ = re.compile(r"\b(?:FROM|JOIN)\s+\"?(\w+)\"?")
PRODUCT = product_body(sku="lamp", stock=3)


async def urls_of(as_boss: httpx.AsyncClient, boss: Person, app: Litestar) -> dict[str, frozenset[str]]:
    """A URL of each route that keeps its answers, and the tables that it says it depends on."""
    post = await write(as_boss, tags=["sea"])
    product = (await as_boss.post("/api/v1/products", json=PRODUCT | {"sku": f"lamp-{post['id'][-6:]}"})).json()
    values = {"post_ref": post["slug"], "product_id": product["id"], "user_id": str(boss.id)}
    kept = [each for each in operations(app) if PUBLIC_ANSWER in each.handler.opt]
    found = {each.url(**values): each.handler.opt[PUBLIC_ANSWER].tables for each in kept}
    expanded = {f"{url}?expand=author": tables for url, tables in found.items() if url.startswith(POSTS)}
    return found | expanded


async def test_a_route_declares_every_table_that_its_answer_is_read_from(
    unlimited_app: Litestar, as_boss: httpx.AsyncClient, boss: Person, anonymous: httpx.AsyncClient
) -> None:
    urls = await urls_of(as_boss, boss, unlimited_app)
    assert len(urls) > 8
    for url, tables in urls.items():
        with counted_statements(unlimited_app) as statements:
            assert (await anonymous.get(url)).status_code == 200, url
        read = {table for each in statements for table in _READ.findall(each)} & metadata.tables.keys()
        assert bool(read) == bool(tables), url
        assert read <= tables <= metadata.tables.keys(), url


async def test_readers_are_answered_from_memory(
    unlimited_app: Litestar, as_boss: httpx.AsyncClient, boss: Person, anonymous: httpx.AsyncClient
) -> None:
    async def statements_of(client: httpx.AsyncClient, url: str, *, is_same: bool = True) -> list[str]:
        with counted_statements(unlimited_app) as statements:
            again = await client.get(url)
        assert again.status_code == 200
        assert (again.content == first.content) is is_same
        assert (again.headers.get("etag") == first.headers.get("etag")) is (is_same or "etag" not in first.headers)
        return statements

    async def is_kept() -> bool:  # unless the second is over
        await anonymous.get(url)
        return not await statements_of(anonymous, url)

    for url in await urls_of(as_boss, boss, unlimited_app):
        first = await anonymous.get(url)
        await until_it_holds(is_kept)
        is_for_all = "/products" not in url and not re.search(rf"{POSTS}/[^?]", url)
        read = await statements_of(as_boss, url, is_same=is_for_all)  # who may write sees metadata
        assert bool(read) is not is_for_all or not await is_kept(), url
        head = await anonymous.head(url)
        assert (head.status_code, head.content) == (200, b"")
        if tag := first.headers.get("etag"):
            unchanged = await anonymous.get(url, headers={"If-None-Match": tag})
            assert (unchanged.status_code, unchanged.content) == (304, b"")
            assert (await anonymous.get(url)).content == first.content


async def test_a_write_shows_in_the_next_answer(as_boss: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    post = await write(as_boss, "Before")
    url = f"{POSTS}/{post['id']}"
    for title in ("One", "Two", "Three"):
        await as_boss.patch(url, json={"title": title})
        assert (await anonymous.get(url)).json()["title"] == title
        assert (await anonymous.get(POSTS)).json()["items"][0]["title"] == title
    for name in ("Augusta", "Ada"):
        await as_boss.put("/api/v1/users/me/profile", json={"first_name": name})
        assert (await anonymous.get(f"{url}?expand=author")).json()["author"]["name"] == name
    await as_boss.delete(url)
    assert (await anonymous.get(url)).status_code == 404


async def test_a_sale_shows_in_the_next_answer(as_boss: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    product = (await as_boss.post("/api/v1/products", json=PRODUCT | {"sku": "rope"})).json()
    url = f"/api/v1/products/{product['id']}"
    for left in (2, 1):
        order = {"items": [{"product_id": product["id"], "quantity": 1}]}
        assert (await as_boss.post("/api/v1/orders", json=order)).status_code == 201
        assert (await anonymous.get(url)).json()["stock"] == left


async def test_what_another_process_writes_shows_soon(
    unlimited_app: Litestar, as_boss: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    post = await write(as_boss, "Here")
    url = f"{POSTS}/{post['id']}"
    await anonymous.get(url)
    there = update(table_of(Post)).where(Post.id == UUID(post["id"])).values(title="There")
    async with core_of(unlimited_app).database.engine.begin() as connection:
        await connection.execute(there)

    async def is_seen() -> bool:
        title: str = (await anonymous.get(url)).json()["title"]
        return title == "There"

    await until_it_holds(is_seen)


async def test_a_reader_without_rights_is_never_remembered(
    as_boss: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    hidden = await scheduled(as_boss, "Soon enough")
    url = f"{POSTS}/{hidden['id']}"
    assert (await as_boss.get(url)).status_code == 200
    assert (await anonymous.get(url)).status_code == 404
    assert "Soon enough" not in (await anonymous.get(POSTS)).text
    assert (await as_boss.patch(url, json={"published_at": None})).status_code in {200, 422}
    assert (await anonymous.get(url)).status_code == 404


async def test_a_caller_who_is_refused_is_refused_in_spite_of_the_memory(
    unlimited_app: Litestar, as_boss: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    await write(as_boss)
    banned = await People(unlimited_app).create(email="banned@example.com")
    async with People(unlimited_app).client(banned) as client:
        assert (await client.get(POSTS)).status_code == 200
        assert (await as_boss.post(f"/api/v1/users/{banned.id}/deactivate")).status_code == 200
        await anonymous.get(POSTS)
        assert (await client.get(POSTS)).status_code == 401
    for header in ("Bearer nonsense", "Basic Og==", "Bearer"):
        assert (await anonymous.get(POSTS, headers={"Authorization": header})).status_code == 401, header


async def test_what_a_holder_of_a_permission_sees_is_for_them_alone(
    as_boss: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    product = PRODUCT | {"sku": "hidden-lamp", "is_active": False}
    assert (await as_boss.post("/api/v1/products", json=product)).status_code == 201
    url = "/api/v1/products?is_active=false"
    for _ in range(2):
        assert (await as_boss.get(url)).json()["total"] == 1
        assert (await anonymous.get(url)).json()["total"] == 0

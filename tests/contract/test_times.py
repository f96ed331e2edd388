"""Bounds of instants mean the same on every list: the first is inclusive, the second is exclusive."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest_asyncio
from litestar import Litestar

from app.lib.db.base import metadata
from tests.contract.routes import DOCUMENT
from tests.domain.posts.writing import write
from tests.support.audit import chain
from tests.support.people import Person
from tests.support.shop import order_body, product_body
from tests.support.webhooks import webhook_of

LISTS = {
    path: {each["name"] for each in item["get"]["parameters"] if each["name"].endswith(("_after", "_before"))}
    for path, item in DOCUMENT["paths"].items()
    if "get" in item and any(each["name"].endswith("_after") for each in item["get"].get("parameters", []))
}
COPIED = {"/api/v1/users", "/api/v1/products", "/api/v1/posts"}
"""Lists that integrations copy."""


def test_bounds_come_in_pairs_and_say_what_they_are() -> None:
    assert {path for path, names in LISTS.items() if "updated_after" in names} >= COPIED
    for path, names in LISTS.items():
        described = {each["name"]: each.get("description", "") for each in DOCUMENT["paths"][path]["get"]["parameters"]}
        for member in {name.rpartition("_")[0] for name in names}:
            assert "at this instant (RFC 3339) or later." in described[f"{member}_after"].replace("At", "at"), path
            assert described[f"{member}_before"] == "Before this instant (RFC 3339).", path
        if "updated_after" in names:
            assert "`updated_at`" in described.get("sort", "`updated_at`"), path


@pytest_asyncio.fixture(loop_scope="session")
async def urls(unlimited_app: Litestar, as_boss: httpx.AsyncClient, boss: Person) -> dict[str, str]:
    """Each list in JSON by its path; none of them is empty."""
    await write(as_boss)
    product = (await as_boss.post("/api/v1/products", json=product_body())).json()
    assert (await as_boss.post("/api/v1/orders", json=order_body((product["id"], 1)))).status_code == 201
    if "/api/v1/rooms" in LISTS:
        assert (await as_boss.post("/api/v1/rooms", json={"name": "harbour"})).status_code == 201
    webhook_id, _ = await webhook_of(boss.id, unlimited_app.state.core)
    await as_boss.post("/api/v1/auth/reauthenticate", json={"password": boss.password})
    await as_boss.post("/api/v1/users/me/api-keys", json={"name": "sync", "scopes": []})
    await chain(unlimited_app)
    ids = {"{webhook_id}": str(webhook_id), "{user_id}": str(boss.id)}
    found = {path: path for path in LISTS if not path.endswith("export")}
    return {path: url.replace(each, ids[each]) for path, url in found.items() for each in ids if each in url} | {
        path: url for path, url in found.items() if "{" not in url
    }


def test_a_list_that_is_copied_has_an_index_for_it() -> None:
    for path, names in LISTS.items():
        if "updated_after" in names and path.count("/") == len("///"):
            indexes = metadata.tables[path.rpartition("/")[2]].indexes
            assert ["updated_at", "id"] in [[column.name for column in each.columns] for each in indexes], path


async def test_the_end_of_one_half_is_the_beginning_of_the_other(
    as_boss: httpx.AsyncClient, urls: dict[str, str]
) -> None:
    async def items(url: str, **parameters: str) -> list[dict[str, Any]]:
        answer = await as_boss.get(url, params={"page_size": 100, **parameters})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    for path, url in urls.items():
        one = (await items(url))[0]
        for member in {name.rpartition("_")[0] for name in LISTS[path]}:
            at = one[f"{member}_at"]
            later = (datetime.fromisoformat(at) + timedelta(milliseconds=1)).isoformat().replace("+00:00", "Z")
            assert one["id"] in {each["id"] for each in await items(url, **{f"{member}_after": at})}, (path, member)
            assert one["id"] not in {each["id"] for each in await items(url, **{f"{member}_before": at})}, (
                path,
                member,
            )
            assert one["id"] in {each["id"] for each in await items(url, **{f"{member}_before": later})}, (path, member)

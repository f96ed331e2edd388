"""``metadata`` of users, posts, products and orders: merged by key, limited, and not for the public."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from tests.domain.accounts.answers import field_errors, is_refused
from tests.domain.posts.writing import POSTS, titles, write
from tests.support.audit import audited
from tests.support.people import PASSWORD, People
from tests.support.shop import product_body

USERS, PRODUCTS, ORDERS = "/api/v1/users", "/api/v1/products", "/api/v1/orders"
NEW: dict[str, dict[str, Any]] = {
    USERS: {"email": "grace@example.com", "password": PASSWORD},
    POSTS: {"title": "A day at sea", "content": "Wind."},
    PRODUCTS: product_body(sku="MUG"),
    ORDERS: {},
}
MOST = {f"{number:02}{'é' * 38}": "é" * 500 for number in range(50)}
WRITERS = ["users:read", "users:write", "posts:write", "products:write", "orders:write"]


async def create(calls: httpx.AsyncClient, path: str, **members: Any) -> httpx.Response:
    body = NEW[path] | members
    if path == ORDERS:
        product = (await calls.post(PRODUCTS, json=NEW[PRODUCTS] | {"sku": str(uuid4()), "stock": 9})).json()
        body["items"] = [{"product_id": product["id"], "quantity": 1}]
    return await calls.post(path, json=body)


async def patch(calls: httpx.AsyncClient, url: str, metadata: Any) -> httpx.Response:
    tag = (await calls.get(url)).headers["etag"]
    return await calls.patch(url, json={"metadata": metadata}, headers={"If-Match": tag})


@pytest.mark.parametrize("path", NEW)
async def test_metadata_is_merged_by_key_and_limited(people: People, path: str) -> None:
    async with people.client(await people.create(permissions=WRITERS)) as calls:
        made = await create(calls, path, metadata={"crm_id": "C-1", "shop": ""})
        assert made.status_code == 201, made.text
        url = f"{path}/{made.json()['id']}"
        merged = await patch(calls, url, {"crm_id": None, "erp/id~": "7"})
        same = await patch(calls, url, {"erp/id~": "7", "absent": None})
        faults = {"": "x", "k" * 41: "x", "tab\t": "x", "n": 7, "a/b~": "v" * 501, "nul": "\u0000"}
        refused = await patch(calls, url, faults)
        most = await calls.patch(
            url,
            content=json.dumps({"metadata": MOST}),  # each character as an escape
            headers={"If-Match": same.headers["etag"], "Content-Type": "application/json"},
        )
        shown = (await calls.get(url)).json()["metadata"]
        cleared = await patch(calls, url, None)
        nothing = await patch(calls, url, {})
        filled = await patch(calls, url, MOST)
        quoted = await patch(calls, url, dict.fromkeys(MOST, '"' * 500))
        too_many = await create(calls, path, metadata=MOST | {"one more": "x"})

    assert made.json()["metadata"] == {"crm_id": "C-1", "shop": ""}
    assert merged.json()["metadata"] == {"shop": "", "erp/id~": "7"}
    assert merged.json()["version"] == made.json()["version"] + 1
    assert same.json() == merged.json()
    assert field_errors(refused) == {
        "/metadata/": "too_short",
        f"/metadata/{'k' * 41}": "too_long",
        "/metadata/tab": "invalid_format",
        "/metadata/n": "invalid_type",
        "/metadata/a~1b~0": "too_long",
        "/metadata/nul": "invalid_format",
    }
    assert field_errors(most) == {"/metadata": "too_long"}, "two keys are there already"
    assert shown == merged.json()["metadata"]
    assert (cleared.json()["metadata"], nothing.json()) == ({}, cleared.json())
    assert filled.json()["metadata"] == MOST
    assert set(quoted.json()["metadata"].values()) == {'"' * 500}
    assert field_errors(too_many) == {"/metadata": "too_long"}


async def test_those_who_may_not_write_see_none(people: People, client: httpx.AsyncClient) -> None:
    writer, other, editor = await people.create(), await people.create(), await people.create(permissions=WRITERS)
    async with people.client(writer) as writes, people.client(editor) as edits, people.client(other) as others:
        post = await write(writes, "Public", metadata={"cms_id": "secret-7"})
        product = (await edits.post(PRODUCTS, json=NEW[PRODUCTS] | {"metadata": {"erp": "secret-7"}})).json()
        for url in (f"{POSTS}/{post['id']}", f"{POSTS}/{post['slug']}", f"{POSTS}/{post['id']}?expand=author"):
            assert (await writes.get(url)).json()["metadata"] == (await edits.get(url)).json()["metadata"]
            assert (await writes.get(url)).json()["metadata"] == {"cms_id": "secret-7"}
            for calls in (client, others):
                assert (await calls.get(url)).json()["metadata"] is None
        url = f"{PRODUCTS}/{product['id']}"
        assert (await edits.get(url)).json()["metadata"] == {"erp": "secret-7"}
        assert (await edits.get(PRODUCTS)).json()["items"][0]["metadata"] == {"erp": "secret-7"}
        for calls in (client, others):
            for public in (url, PRODUCTS, POSTS, "/api/v1/feed.atom", f"/api/v1/users/{writer.id}/posts"):
                assert "secret" not in (await calls.get(public)).text
        assert await titles(client, q="secret-7") == []
        assert (await client.get(PRODUCTS, params={"q": "secret-7"})).json()["items"] == []
        refused = await patch(others, f"{POSTS}/{post['id']}", {"cms_id": "mine"})
        assert is_refused(refused, 403, "permission_denied")


async def test_what_the_public_has_is_nothing_that_a_writer_has(people: People, client: httpx.AsyncClient) -> None:
    async with people.client(await people.create(permissions=WRITERS)) as calls:
        for path in (POSTS, PRODUCTS):
            made = await calls.post(path, json=NEW[path] | {"is_published": True} if path == POSTS else NEW[path])
            url = f"{path}/{made.json()['id']}"
            for _ in range(2):  # the second ones may come from memory
                public, own = await client.get(url), await calls.get(url)
                assert (public.json()["metadata"], own.json()["metadata"]) == (None, {}), "also where there is none"
            tags = [public.headers["etag"], own.headers["etag"]]
            both = [{"If-None-Match": tag} for tag in tags]
            assert [(await client.get(url, headers=each)).status_code for each in both] == [304, 200]
            assert [(await calls.get(url, headers=each)).status_code for each in both] == [200, 304]
            for tag in tags:
                changes = {"metadata": {"crm_id": None}}
                assert (await calls.patch(url, json=changes, headers={"If-Match": tag})).status_code == 200


async def test_no_two_patches_go_beyond_the_limit_together(people: People) -> None:
    async with people.client(await people.create(permissions=WRITERS)) as calls:
        for path in NEW:
            url = f"{path}/{(await create(calls, path)).json()['id']}"
            changes = [{f"{half}{number}": "x" for number in range(30)} for half in "ab"]
            sent = [calls.patch(url, json={"metadata": each}, headers={"If-Match": "*"}) for each in changes]
            answers = await asyncio.gather(*sent)
            assert sorted(each.status_code for each in answers) == [200, 422], path
            assert (await calls.get(url)).json()["metadata"] in changes


async def test_users_see_their_metadata_and_administrators_write_it(
    app: Litestar, people: People, client: httpx.AsyncClient
) -> None:
    person, admin = await people.create(), await people.create(permissions=["users:read", "users:write"])
    async with people.client(admin) as calls:
        assert (await patch(calls, f"{USERS}/{person.id}", {"crm_id": "C-7"})).status_code == 200
        assert (await calls.get(USERS, params={"q": "C-7"})).json()["items"] == []
    async with people.client(person) as calls:
        own = await calls.get(f"{USERS}/me")
        assert own.json()["metadata"] == {"crm_id": "C-7"}
        assert field_errors(await calls.patch(f"{USERS}/me", json={"metadata": {}})) == {"/metadata": "unknown_field"}
        exported = (await calls.get(f"{USERS}/me/export")).json()
    assert exported["user"][0]["metadata"] == {"crm_id": "C-7"}
    (entry,) = await audited(app, "user.updated")
    assert entry.details == {"fields": ["metadata"]}, "and no values, which may be personal"
    assert "C-7" not in (await client.get(f"/api/v1/profiles/{person.id}")).text

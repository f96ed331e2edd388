"""What posts are called in URLs."""

import asyncio

import httpx
import pytest

from tests.domain.accounts.answers import is_refused
from tests.domain.posts.writing import POSTS, draft, write

MANY = 12


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("A Day at Sea!", "a-day-at-sea"),
        ("  Zoë's Straße -- Ørsted ", "zoes-strasse-orsted"),
        ("李小龙", "lixiaolong"),
        ("???", "post"),
        ("0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b", "post-0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b"),
        ("a/b/../c", "a-b-c"),
        ("long " * 50, "long-" * 15 + "long"),
    ],
)
async def test_a_slug_is_made_from_the_title(calls: httpx.AsyncClient, title: str, slug: str) -> None:
    post = await write(calls, title)

    assert post["slug"] == slug
    assert (await calls.get(f"{POSTS}/{slug}")).json() == post


async def test_a_slug_stays_unless_asked(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    post = await write(calls, "First")
    url = f"{POSTS}/{post['id']}"
    renamed = (await calls.patch(url, json={"title": "Second"})).json()
    moved = (await calls.patch(url, json={"slug": "third"})).json()

    assert (renamed["slug"], moved["slug"]) == ("first", "third")
    assert (await client.get(f"{POSTS}/first")).status_code == 404
    assert (await client.get(f"{POSTS}/third")).json() == moved


async def test_an_asked_slug_that_is_taken_is_a_conflict(calls: httpx.AsyncClient) -> None:
    await draft(calls, "Taken")
    post = await draft(calls, "Other")

    for answer in (
        await calls.post(POSTS, json={"title": "x", "content": "", "slug": "taken"}),
        await calls.patch(f"{POSTS}/{post['id']}", json={"slug": "taken"}),
    ):
        assert is_refused(answer, 409, "duplicate")
        assert answer.json()["errors"][0]["pointer"] == "/slug"


async def test_many_of_one_title_at_once_have_slugs_of_their_own(calls: httpx.AsyncClient) -> None:
    posts = await asyncio.gather(*[write(calls, "The same") for _ in range(MANY)])
    slugs = {post["slug"] for post in posts}

    assert len(slugs) == MANY
    assert "the-same" in slugs
    assert all(slug.startswith("the-same") for slug in slugs)


async def test_numbers_go_on_where_they_are_free(calls: httpx.AsyncClient) -> None:
    assert [(await draft(calls, "Log"))["slug"] for _ in range(3)] == ["log", "log-2", "log-3"]


@pytest.mark.parametrize("name", ["Log", "no-such-post", "%00", "a%2Fb", "..", "x" * 101, "a b", "%F0%9F%8C%8A"])
async def test_what_is_no_slug_is_not_there(calls: httpx.AsyncClient, name: str) -> None:
    assert is_refused(await calls.get(f"{POSTS}/{name}"), 404, "not_found")


async def test_posts_are_changed_by_id_only(calls: httpx.AsyncClient) -> None:
    post = await write(calls, "Log")

    assert (await calls.patch(f"{POSTS}/{post['slug']}", json={})).status_code == 404
    assert (await calls.delete(f"{POSTS}/{post['slug']}")).status_code == 404
    assert (await calls.get(f"{POSTS}/{post['id'].upper()}")).status_code == 404

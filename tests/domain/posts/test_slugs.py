"""Slugs: stable names of posts in URLs."""

import asyncio

import httpx
from litestar import Litestar

from app.domain.posts.models import PostSlug
from tests.domain.accounts.answers import is_refused, rows
from tests.domain.posts.writing import POSTS, draft, write
from tests.support.people import People

MANY = 12


async def test_a_slug_is_made_from_the_title(calls: httpx.AsyncClient) -> None:
    slugs = {
        "A Day at Sea!": "a-day-at-sea",
        "  Zoë's Straße -- Ørsted ": "zoes-strasse-orsted",
        "李小龙": "lixiaolong",
        "???": "post",
        "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b": "post-0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b",
        "a/b/../c": "a-b-c",
        "long " * 50: "long-" * 15 + "long",
    }
    for title, slug in slugs.items():
        post = await write(calls, title)
        assert post["slug"] == slug
        assert (await calls.get(f"{POSTS}/{slug}")).json() == post


async def test_a_slug_stays_unless_asked(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    post = await write(calls, "First")
    url = f"{POSTS}/{post['id']}"
    renamed = (await calls.patch(url, json={"title": "Second"})).json()
    moved = (await calls.patch(url, json={"slug": "third", "title": "Third", "tags": ["a"]})).json()

    assert (renamed["slug"], moved["slug"]) == ("first", "third")
    assert (post["version"], renamed["version"], moved["version"]) == (1, 2, 3)
    assert (await client.get(f"{POSTS}/third")).json() == moved


async def test_a_former_slug_redirects_to_the_present_one(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    post = await write(calls, "First")
    url, old = f"{POSTS}/{post['id']}", f"{POSTS}/first"
    await calls.patch(url, json={"slug": "second"})
    await calls.patch(url, json={"slug": "third"})

    for each in (old, f"{POSTS}/second"):
        answer = await client.get(f"{each}?expand=author")
        assert (answer.status_code, answer.headers["location"]) == (301, f"{POSTS}/third?expand=author")
        assert answer.headers["cache-control"] == "public, max-age=0, must-revalidate"
        assert (answer.content, "etag" in answer.headers) == (b"", False)
        assert (await client.get(each, follow_redirects=True)).json()["id"] == post["id"]
    await calls.post(f"{url}/unpublish")
    assert is_refused(await client.get(old), 404, "not_found")
    private = await calls.get(old)
    assert (private.status_code, private.headers["location"]) == (301, f"{POSTS}/third")
    assert private.headers["cache-control"] == "private, no-cache"
    await calls.delete(url)
    assert is_refused(await calls.get(old), 404, "not_found")


async def test_a_post_may_take_its_own_slug_back(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    post = await write(calls, "First")
    url = f"{POSTS}/{post['id']}"
    for slug in ("second", "first", "second", "first"):
        assert (await calls.patch(url, json={"slug": slug})).json()["slug"] == slug
    assert (await client.get(f"{POSTS}/first")).status_code == 200
    assert (await client.get(f"{POSTS}/second")).headers["location"] == f"{POSTS}/first"


async def test_no_other_post_ever_gets_a_slug(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    """A client that has the first post, with its ETag, must not take the second one for it."""
    gone, renamed = await write(calls, "Gone"), await write(calls, "Renamed")
    etag = {"If-None-Match": (await client.get(f"{POSTS}/gone")).headers["etag"]}
    await calls.delete(f"{POSTS}/{gone['id']}")
    await calls.patch(f"{POSTS}/{renamed['id']}", json={"slug": "other"})
    other = await write(calls, "Something else")
    for slug in ("gone", "renamed"):
        body = {"title": "x", "content": "", "slug": slug, "is_published": True}
        assert is_refused(await calls.post(POSTS, json=body), 409, "duplicate")
        assert is_refused(await calls.patch(f"{POSTS}/{other['id']}", json={"slug": slug}), 409, "duplicate")
        assert (await write(calls, slug.title()))["slug"] == f"{slug}-2"

    assert is_refused(await client.get(f"{POSTS}/gone", headers=etag), 404, "not_found")


async def test_deleted_users_leave_no_slug_that_can_be_read(
    app: Litestar, people: People, calls: httpx.AsyncClient
) -> None:
    writer = await people.create()
    async with people.client(writer) as leaving:
        await write(leaving, "Telling words")
    async with people.client(await people.create(is_superuser=True)) as boss:
        assert (await boss.delete(f"/api/v1/users/{writer.id}")).status_code == 204

    [kept] = await rows(app, PostSlug)
    assert (len(kept.digest), kept.post_id) == (64, None)
    assert (await write(calls, "Telling words"))["slug"] == "telling-words-2"


async def test_a_slug_that_is_given_up_stays_taken_at_the_same_moment(calls: httpx.AsyncClient) -> None:
    post = await write(calls, "First")
    body = {"title": "x", "content": "", "slug": "first", "is_published": True}
    _, *answers = await asyncio.gather(
        calls.patch(f"{POSTS}/{post['id']}", json={"slug": "second"}), *[calls.post(POSTS, json=body) for _ in range(6)]
    )

    assert {each.status_code for each in answers} == {409}


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


async def test_posts_are_changed_by_id_only(calls: httpx.AsyncClient) -> None:
    post = await write(calls, "Log")

    assert (await calls.patch(f"{POSTS}/{post['slug']}", json={})).status_code == 404
    assert (await calls.delete(f"{POSTS}/{post['slug']}")).status_code == 404
    assert (await calls.get(f"{POSTS}/{post['id'].upper()}")).status_code == 404

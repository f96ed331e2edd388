"""What is remembered of public posts is never older than a second, and never older than a write of this process."""

from typing import Any

import httpx
import pytest
from litestar import Litestar

import app.lib.recent as recent_module
from app.domain.posts.memory import SECONDS
from tests.domain.posts.writing import FEED, POSTS, TAGS, draft, write
from tests.support.apps import Deployment, client_of
from tests.support.counting import counted_statements
from tests.support.people import People

PUBLIC = "public, max-age=0, must-revalidate"


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(recent_module, "time", clock)
    return clock


async def test_a_post_is_read_once_a_second(
    app: Litestar, calls: httpx.AsyncClient, client: httpx.AsyncClient, clock: Clock
) -> None:
    post = await write(calls, tags=["sea"])
    author = f"/api/v1/users/{post['author_id']}/posts?include_total=false"
    searched = f"{POSTS}?q=wind&tag=sea&author={post['author_id']}&sort=title&page_size=5"
    for url in (f"{POSTS}/{post['id']}", f"{POSTS}/{post['slug']}", TAGS, FEED, POSTS, searched, author):
        counts = []
        for step in (0, SECONDS * 0.5, SECONDS * 0.5, 0):
            clock.now += step
            with counted_statements(app) as statements:
                assert (await client.get(url)).status_code == 200
            counts.append(bool(statements))
        assert counts == [True, False, True, False], url


async def test_what_differs_is_kept_apart(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    for number in range(3):
        await write(calls, f"Post {number}", tags=["sea"] if number else [])
    queries = [
        "",
        "?page_size=1",
        "?sort=title",
        "?tag=sea",
        "?q=post",
        "?q=0",
        "?include_total=false",
        "?page=2&page_size=2",
    ]
    once, again = [[(await client.get(f"{POSTS}{each}")).json() for each in queries] for _ in "ab"]

    assert once == again
    assert [len(page["items"]) for page in once] == [3, 1, 3, 2, 3, 1, 3, 1]
    assert len({str(page) for page in once}) == len(queries) - 1
    assert once[0] == once[4] | {"next_cursor": None}


async def test_a_write_leaves_other_posts_in_mind(
    app: Litestar, calls: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    """Also when it gives the post another slug: neither the old one nor the new one is remembered wrongly."""
    one, two = await write(calls, "One"), await write(calls, "Two")
    urls = [f"{POSTS}/{key}" for post in (one, two) for key in (post["id"], post["slug"])]
    for url in urls:
        assert (await client.get(url)).status_code == 200

    await calls.patch(urls[0], json={"slug": "first"})
    with counted_statements(app) as statements:
        answers = [await client.get(url) for url in [*urls[2:], *urls[:2], f"{POSTS}/first"]]

    assert [each.status_code for each in answers] == [200, 200, 200, 301, 200]
    assert len(statements) == 4
    assert answers[2].json() == answers[4].json()


async def test_absence_and_drafts_are_not_remembered(
    app: Litestar, calls: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    assert (await client.get(f"{POSTS}/later")).status_code == 404
    post = await write(calls, "Later", is_published=False)
    assert (await calls.get(f"{POSTS}/later")).status_code == 200
    assert (await client.get(f"{POSTS}/later")).status_code == 404
    await calls.post(f"{POSTS}/{post['id']}/publish")
    assert (await client.get(f"{POSTS}/later")).status_code == 200


@pytest.mark.usefixtures("clock")
async def test_the_worker_that_writes_shows_the_write(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    post = await write(calls, "One", tags=["sea"])
    url = f"{POSTS}/{post['id']}"

    async def seen() -> tuple[int, Any, list[Any], bool]:
        shown = await client.get(url)
        tags = (await client.get(TAGS)).json()["items"]
        return shown.status_code, shown.json().get("title"), tags, "<entry>" in (await client.get(FEED)).text

    assert await seen() == (200, "One", [{"name": "sea", "posts": 1}], True)
    await calls.patch(url, json={"title": "Two"})
    assert (await seen())[1] == "Two"
    await calls.post(f"{url}/unpublish")
    assert (await seen())[::2] == (404, [])
    await calls.post(f"{url}/publish", headers={})
    assert await seen() == (200, "Two", [{"name": "sea", "posts": 1}], True)
    await calls.delete(url)
    assert (await seen())[0] == 404
    assert (await seen())[2:] == ([], False)


async def test_other_workers_show_it_when_the_second_is_over(deployment: Deployment, clock: Clock) -> None:
    here, there = await deployment.start(), await deployment.start()
    writer = await People(here).create()
    async with client_of(here, headers=writer.headers) as calls, client_of(there) as reader:
        post = await write(calls, "One")
        url = f"{POSTS}/{post['id']}"
        assert (await reader.get(url)).json()["title"] == "One"
        await calls.patch(url, json={"title": "Two"})
        clock.now += SECONDS
        assert (await reader.get(url)).json()["title"] == "Two"
        await calls.delete(url)
        clock.now += SECONDS
        assert (await reader.get(url)).status_code == 404


async def test_a_person_who_goes_takes_what_is_remembered_with_them(people: People, client: httpx.AsyncClient) -> None:
    writer = await people.create()
    async with people.client(writer) as calls:
        post = await write(calls)
    assert (await client.get(f"{POSTS}/{post['id']}")).status_code == 200
    async with people.client(await people.create(is_superuser=True)) as boss:
        assert (await boss.delete(f"/api/v1/users/{writer.id}")).status_code == 204
    assert (await client.get(f"{POSTS}/{post['id']}")).status_code == 404


@pytest.mark.usefixtures("clock")
async def test_the_feed_follows_the_names_of_authors(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    await write(calls)
    me = "/api/v1/users/me"
    etag = (await client.get(FEED)).headers["etag"]
    for method, url, body in (
        ("PUT", f"{me}/profile", {"first_name": "Ada", "last_name": "Lovelace"}),
        ("PUT", f"{me}/profile", {}),
        ("PATCH", me, {"name": "Grace Hopper"}),
    ):
        assert (await calls.request(method, url, json=body)).status_code == 200
        after = await client.get(FEED, headers={"If-None-Match": etag})
        author = (await client.get(f"{POSTS}?expand=author")).json()["items"][0]["author"]
        shown = author["full_name"] or author["username"] or "Somebody"
        assert (after.status_code, f"<name>{shown}</name>" in after.text) == (200, True)
        etag = after.headers["etag"]


async def test_whoever_has_the_current_version_gets_no_body(
    calls: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    post = await write(calls, tags=["sea"])
    for url in (f"{POSTS}/{post['id']}", f"{POSTS}/{post['slug']}", POSTS, f"{POSTS}?q=wind", TAGS, FEED):
        first = await client.get(url)
        headers = {"If-None-Match": first.headers["etag"]}
        again = await client.get(url, headers=headers)
        assert first.headers["cache-control"] == again.headers["cache-control"] == "public, max-age=0, must-revalidate"
        assert first.headers.get("vary") == (None if url in {TAGS, FEED} else "Authorization")
        assert (again.status_code, again.content) == (304, b"")
        await calls.patch(f"{POSTS}/{post['id']}", json={"title": f"Not {url}", "tags": [f"t{len(url)}"]})
        assert (await client.get(url, headers=headers)).status_code == 200


async def test_what_is_asked_for_with_credentials_is_private(
    calls: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    """Asked for by somebody else before, and after: shared caches and ours tell the two apart."""
    post, hidden = await write(calls), await draft(calls)
    by_caller = [f"{POSTS}/{post['id']}", f"{POSTS}/{post['slug']}?expand=author", POSTS, f"{POSTS}?expand=author"]
    everybodys = [f"/api/v1/users/{post['author_id']}/posts", TAGS, FEED]
    for _ in "ab":
        for url in [*by_caller, *everybodys]:
            answers = [await client.get(url), await calls.get(url)]
            assert answers[0].headers["cache-control"] == PUBLIC, url
            assert answers[1].headers["cache-control"] == (PUBLIC if url in everybodys else "private, no-cache"), url
            assert {each.headers.get("vary") for each in answers} == {None if url in everybodys else "Authorization"}
            assert answers[0].content == answers[1].content
        for url in (f"{POSTS}?mine=true", f"{POSTS}/{hidden['id']}", f"{POSTS}/{hidden['slug']}?expand=author"):
            private, refused = await calls.get(url), await client.get(url)
            assert (private.status_code, private.headers["cache-control"]) == (200, "private, no-cache")
            assert refused.status_code in {401, 404}
            assert refused.headers["cache-control"] == "private, no-cache"
            assert "Not yet" not in (await client.get(POSTS)).text


async def test_heads_are_those_of_the_bodies(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    post = await write(calls, tags=["sea"])
    for url in (f"{POSTS}/{post['id']}", f"{POSTS}?q=wind", f"/api/v1/users/{post['author_id']}/posts", TAGS, FEED):
        whole, head = await client.get(url), await client.head(url)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "cache-control", "vary", "content-type", "content-length", "link"):
            assert head.headers.get(name) == whole.headers.get(name), (url, name)
        unchanged = await client.head(url, headers={"If-None-Match": whole.headers["etag"]})
        assert unchanged.status_code == 304

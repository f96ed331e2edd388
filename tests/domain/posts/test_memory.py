"""What is remembered of public posts is never older than a second, and never older than a write of this process."""

from typing import Any

import httpx
import pytest
from litestar import Litestar

import app.lib.recent as recent_module
from app.domain.posts.memory import SECONDS
from tests.domain.posts.writing import FEED, POSTS, TAGS, write
from tests.support.apps import Deployment, client_of
from tests.support.counting import counted_statements
from tests.support.people import People


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
    for url in (f"{POSTS}/{post['id']}", f"{POSTS}/{post['slug']}", TAGS, FEED):
        counts = []
        for step in (0, SECONDS * 0.5, SECONDS * 0.5, 0):
            clock.now += step
            with counted_statements(app) as statements:
                assert (await client.get(url)).status_code == 200
            counts.append(bool(statements))
        assert counts == [True, False, True, False], url


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


async def test_whoever_has_the_current_version_gets_no_body(
    calls: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    post = await write(calls, tags=["sea"])
    for url in (f"{POSTS}/{post['id']}", f"{POSTS}/{post['slug']}", POSTS, f"{POSTS}?q=wind", TAGS, FEED):
        first = await client.get(url)
        headers = {"If-None-Match": first.headers["etag"]}
        again = await client.get(url, headers=headers)
        assert first.headers["cache-control"] == again.headers["cache-control"] == "public, max-age=0, must-revalidate"
        assert first.headers["vary"] == "Authorization"
        assert (again.status_code, again.content) == (304, b"")
        await calls.patch(f"{POSTS}/{post['id']}", json={"title": f"Not {url}", "tags": [f"t{len(url)}"]})
        assert (await client.get(url, headers=headers)).status_code == 200


async def test_what_is_asked_for_with_credentials_is_private(calls: httpx.AsyncClient) -> None:
    post = await write(calls)
    for url in (f"{POSTS}/{post['id']}", POSTS, f"{POSTS}?mine=true"):
        assert (await calls.get(url)).headers["cache-control"] == "private, no-cache"

"""Searching more posts than a window has: frequent words, rare ones, and words of old posts."""

from datetime import timedelta
from typing import Any

import httpx
import pytest_asyncio
from litestar import Litestar
from sqlalchemy import insert

from app.domain.posts.models import Post
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from tests.domain.posts.writing import POSTS
from tests.support.apps import core_of
from tests.support.people import People, Person

COUNT = 2_300
"""A window and a part of a second one."""
NOW = utc_now()


def words(number: int) -> str:
    """Post 0 is the newest. "third" is in every third; "old" in those beyond the window, "few" in three of them."""
    named = {"third": number % 3 == 0, "old": number >= 2_100, "few": number in {5, 2_150, 2_299}}
    return " ".join(["every", *(name for name, is_there in named.items() if is_there)])


@pytest_asyncio.fixture
async def writer(app: Litestar, people: People) -> Person:
    """The author of all posts."""
    person = await people.create()
    posts = [
        {
            "id": new_id(),
            "author_id": person.id,
            "title": f"Post {number}",
            "title_key": f"post {number:05}",
            "title_search": f"post {number}{' third' if number == 9 else ''}",
            "slug": f"post-{number}",
            "content": words(number),
            "search": f"post {words(number)}{' #third' if number % 3 == 0 else ''}",
            "excerpt": "",
            "tags": [],
            "published_at": NOW - timedelta(minutes=number + 1),
            "public_from": NOW - timedelta(minutes=number + 1),
            "is_announced": True,
        }
        for number in range(COUNT)
    ]
    async with core_of(app).database.independent() as unit:
        for start in range(0, COUNT, 300):  # a statement has a few seconds
            await unit.session.execute(insert(Post), posts[start : start + 300])
    return person


async def numbers(calls: httpx.AsyncClient, **query: Any) -> list[int]:
    """All that is found, walked by cursor."""
    found: list[int] = []
    page = (await calls.get(POSTS, params={"page_size": 100, "include_total": False, **query})).json()
    while True:
        found += [int(post["slug"].removeprefix("post-")) for post in page["items"]]
        if page["next_cursor"] is None:
            return found
        answer = await calls.get(POSTS, params={"page_size": 100, "cursor": page["next_cursor"], **query})
        assert answer.status_code == 200, answer.text
        page = answer.json()


async def totals(calls: httpx.AsyncClient, *queries: str) -> list[int]:
    return [(await calls.get(POSTS, params={"q": each, "page_size": 1})).json()["total"] for each in queries]


async def test_results_do_not_depend_on_the_plan(client: httpx.AsyncClient, writer: Person) -> None:
    everything = list(range(COUNT))
    before = (NOW - timedelta(minutes=2_200, seconds=30)).isoformat()

    assert await numbers(client, q="every") == everything
    assert await numbers(client, q="third") == await numbers(client, tag="third") == everything[::3]
    assert await numbers(client, q="few") == [5, 2_150, 2_299]
    assert await numbers(client, q="few", sort="published_at") == [2_299, 2_150, 5]
    assert await numbers(client, q="third", sort="title,-created_at") == everything[::3]
    assert await numbers(client, q="old", sort="-title") == everything[:2_099:-1]
    assert await numbers(client, q="few old") == [2_150, 2_299]
    assert await numbers(client, q="every few", tag="third") == []
    assert await totals(client, "every", "third", "few", "old", "none") == [2_300, 767, 3, 200, 0]

    assert await numbers(client, q="every", published_before=before) == list(range(2_200, COUNT))
    assert await numbers(client, q="old", published_after=before) == list(range(2_100, 2_200))
    assert await numbers(client, q="few", author_id=str(writer.id)) == [5, 2_150, 2_299]
    assert await numbers(client, q="few", author_id=str(new_id())) == []

    # Frequent words are ranked among the newest posts only.
    frequent = await numbers(client, q="third", sort="-relevance")
    assert frequent[0] == 9
    assert sorted(frequent) == list(range(0, 2_000, 3))
    assert sorted(await numbers(client, q="few", sort="-relevance")) == [5, 2_150, 2_299]
    assert sorted(await numbers(client, q="old", sort="-relevance")) == list(range(2_100, COUNT))

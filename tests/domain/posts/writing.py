"""Short words for what tests of posts write and look at."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from litestar import Litestar
from sqlalchemy import update

from app.domain.posts.models import Post, PostTag
from app.lib.clock import utc_now
from app.lib.events.tables import StoredEvent
from tests.domain.accounts.answers import JSONObject, rows
from tests.support.apps import core_of
from tests.support.people import People

POSTS = "/api/v1/posts"
TAGS = "/api/v1/tags"
FEED = "/api/v1/feed.atom"
LATER = (utc_now() + timedelta(days=3)).isoformat()


async def write(calls: httpx.AsyncClient, title: str = "A day at sea", **members: Any) -> JSONObject:
    """A post, published by default."""
    body = {"title": title, "content": "Wind and *waves*.", "is_published": True, **members}
    response = await calls.post(POSTS, json=body)
    assert response.status_code == 201, response.text
    written: JSONObject = response.json()
    return written


async def draft(calls: httpx.AsyncClient, title: str = "Not yet", **members: Any) -> JSONObject:
    return await write(calls, title, is_published=False, **members)


async def scheduled(calls: httpx.AsyncClient, title: str = "Soon", **members: Any) -> JSONObject:
    return await write(calls, title, published_at=LATER, **members)


async def titles(calls: httpx.AsyncClient, url: str = POSTS, **query: Any) -> list[str]:
    response = await calls.get(url, params=query)
    assert response.status_code == 200, response.text
    return [post["title"] for post in response.json()["items"]]


async def events(app: Litestar, kind: str | None = None) -> list[StoredEvent]:
    """The stored events of posts, oldest first."""
    found = await rows(app, StoredEvent, StoredEvent.aggregate_type == "post")
    return sorted((each for each in found if kind in {None, each.kind}), key=lambda each: each.id)


async def let_time_pass(app: Litestar, post_id: str) -> None:
    """What was scheduled becomes public, as if its time had come."""
    past = utc_now() - timedelta(seconds=5)
    async with core_of(app).database.independent() as unit:
        for model, key in ((Post, Post.id), (PostTag, PostTag.post_id)):
            values = {"public_from": past} | ({"published_at": past} if model is Post else {})
            await unit.session.execute(update(model).where(key == UUID(post_id)).values(**values))


async def author(people: People, **values: Any) -> httpx.AsyncClient:
    """A client of a new user."""
    return people.client(await people.create(**values))

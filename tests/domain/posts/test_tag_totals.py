"""GET /tags: counts are kept, not made, and are right whatever happened, in whatever order."""

import asyncio
import random
from collections import Counter
from typing import Any

import httpx
from litestar import Litestar

from app.domain.posts.models import TagTotal
from app.domain.posts.services.announcing import announce_due
from tests.domain.accounts.answers import rows
from tests.domain.posts.writing import LATER, POSTS, TAGS, draft, let_time_pass, scheduled, write
from tests.support.apps import components_of
from tests.support.counting import counted_statements
from tests.support.people import People

WORDS = ["air", "earth", "fire", "sea", "wind"]


async def counts(client: httpx.AsyncClient, **query: Any) -> dict[str, int]:
    page = (await client.get(TAGS, params={"page_size": 100, **query})).json()
    return {each["name"]: each["posts"] for each in page["items"]}


async def truth(client: httpx.AsyncClient) -> dict[str, int]:
    posts = (await client.get(POSTS, params={"page_size": 100})).json()["items"]
    return dict(Counter(tag for post in posts for tag in post["tags"]))


async def announce(app: Litestar) -> None:
    async with components_of(app).database.independent() as unit:
        await announce_due(unit, app.state.background.events)


async def step(calls: httpx.AsyncClient, app: Litestar, ids: list[str], chance: random.Random) -> None:
    """Something that people or time do to a post."""
    tags = chance.sample(WORDS, chance.randint(0, 3))
    make = chance.choice([write, draft, scheduled])
    if not ids or chance.random() < 0.2:
        ids.append((await make(calls, tags=tags))["id"])
        return
    post_id = chance.choice(ids)
    url = f"{POSTS}/{post_id}"
    match chance.choice(["tags", "publish", "later", "unpublish", "delete", "time", "announce", "both"]):
        case "tags":
            await calls.patch(url, json={"tags": tags})
        case "publish":
            await calls.post(f"{url}/publish")
        case "later":
            await calls.post(f"{url}/publish", json={"at": LATER})
        case "unpublish":
            await calls.post(f"{url}/unpublish")
        case "delete":
            ids.remove(post_id)
            await calls.delete(url)
        case "time":
            if (await calls.get(url)).json()["published_at"] is not None:
                await let_time_pass(app, post_id)
        case "announce":
            await announce(app)
        case _:
            await calls.patch(url, json={"tags": tags, "is_published": chance.random() < 0.5})


async def test_they_are_right_whatever_happens(
    calls: httpx.AsyncClient, client: httpx.AsyncClient, app: Litestar
) -> None:
    chance = random.Random(7)  # noqa: S311 - the same story each time
    ids: list[str] = []
    seen = set()
    for _ in range(120):
        await step(calls, app, ids, chance)
        components_of(app).post_memory.forget()  # time passes by other ways than a write
        found = await counts(client)
        assert found == await truth(client)
        seen.add(tuple(sorted(found.items())))
    await announce(app)

    assert len(seen) > 20
    assert {each.tag: each.posts for each in await rows(app, TagTotal)} == await truth(client)


async def test_a_post_counts_from_its_time_on_announced_or_not(
    calls: httpx.AsyncClient, client: httpx.AsyncClient, app: Litestar
) -> None:
    post = await scheduled(calls, tags=["sea", "wind"])
    await write(calls, tags=["sea"])
    assert await counts(client) == {"sea": 1}

    await let_time_pass(app, post["id"])
    components_of(app).post_memory.forget()
    first = (await client.get(TAGS, params={"page_size": 1})).json()
    await announce(app)
    rest = (await client.get(TAGS, params={"page_size": 1, "cursor": first["next_cursor"]})).json()

    assert (first["items"], first["total"]) == ([{"name": "sea", "posts": 2}], 2)
    assert (rest["items"], rest["next_cursor"]) == ([{"name": "wind", "posts": 1}], None)
    assert [await counts(client, sort=sort) for sort in ("name", "-name", "posts")] == [{"sea": 2, "wind": 1}] * 3


async def test_writers_of_the_same_tags_do_not_stop_each_other(people: People, app: Litestar) -> None:
    """Each names them in another order, and a person with all of them goes meanwhile."""
    leaver, writer = await people.create(), await people.create()
    async with people.client(leaver) as leaves, people.client(writer) as calls:
        for number in range(4):
            await write(leaves, f"Leaver {number}", tags=WORDS)
        old = [(await write(calls, f"Old {number}", tags=WORDS))["id"] for number in range(4)]
        soon = [(await scheduled(calls, f"Soon {number}", tags=WORDS))["id"] for number in range(4)]
        for post_id in soon:
            await let_time_pass(app, post_id)
        answers = await asyncio.gather(
            leaves.delete("/api/v1/users/me"),
            *[
                calls.patch(f"{POSTS}/{post_id}", json={"tags": WORDS[::-1][:number]})
                for number, post_id in enumerate(old)
            ],
            *[
                calls.post(POSTS, json={"title": "N", "content": "", "tags": WORDS[::-1], "is_published": True})
                for _ in "ab"
            ],
            calls.delete(f"{POSTS}/{soon[0]}"),
            announce(app),
        )
        assert {each.status_code for each in answers if each is not None} <= {200, 201, 204}
        await announce(app)
        components_of(app).post_memory.forget()
        assert await counts(calls) == await truth(calls) == {"air": 5, "earth": 5, "fire": 6, "sea": 7, "wind": 8}


async def test_nobody_counts_posts_to_list_tags(
    calls: httpx.AsyncClient, client: httpx.AsyncClient, app: Litestar
) -> None:
    await write(calls, tags=["sea"])
    with counted_statements(app) as statements:
        await client.get(TAGS)

    assert len(statements) == 2
    assert not any("post_tags" in each for each in statements)

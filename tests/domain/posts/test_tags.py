"""GET /tags: how many public posts have each tag."""

import httpx
from litestar import Litestar

from tests.domain.posts.writing import POSTS, TAGS, draft, let_time_pass, scheduled, write


async def test_tags_of_public_posts_are_counted(calls: httpx.AsyncClient, app: Litestar) -> None:
    async def counts() -> dict[str, int]:
        page = (await calls.get(TAGS)).json()
        assert page["total"] == len(page["items"])
        return {each["name"]: each["posts"] for each in page["items"]}

    first = await write(calls, tags=["sea", "wind"])
    hidden = await draft(calls, tags=["sea", "secret"])
    soon = await scheduled(calls, tags=["sea", "soon"])
    assert await counts() == {"sea": 1, "wind": 1}

    await let_time_pass(app, soon["id"])
    assert await counts() == {"sea": 2, "wind": 1, "soon": 1}
    await calls.post(f"{POSTS}/{hidden['id']}/publish")
    assert await counts() == {"sea": 3, "wind": 1, "soon": 1, "secret": 1}
    await calls.patch(f"{POSTS}/{first['id']}", json={"tags": ["land"]})
    await calls.post(f"{POSTS}/{hidden['id']}/unpublish")
    assert await counts() == {"sea": 1, "soon": 1, "land": 1}
    await calls.delete(f"{POSTS}/{soon['id']}")
    assert await counts() == {"land": 1}


async def test_tags_are_sorted_and_walked(calls: httpx.AsyncClient) -> None:
    for tags in (["all", "odd"], ["all", "even"], ["all", "odd"]):
        await write(calls, tags=tags)
    page = (await calls.get(TAGS)).json()
    by_name = (await calls.get(TAGS, params={"sort": "name", "page_size": 2})).json()
    rest = (await calls.get(TAGS, params={"sort": "name", "page_size": 2, "cursor": by_name["next_cursor"]})).json()

    assert page["items"] == [{"name": "all", "posts": 3}, {"name": "odd", "posts": 2}, {"name": "even", "posts": 1}]
    assert by_name["total"] == 3
    assert [tag["name"] for tag in by_name["items"] + rest["items"]] == ["all", "even", "odd"]

"""A draft or a scheduled post of somebody else is not there: not by id or slug, in lists, search, tags or the feed."""

from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.domain.accounts.answers import is_refused
from tests.domain.posts.writing import FEED, POSTS, TAGS, draft, let_time_pass, scheduled, titles, write
from tests.support.people import People, Person

HIDDEN = pytest.mark.parametrize("kind", ["draft", "scheduled"])


async def hidden(calls: httpx.AsyncClient, kind: str) -> dict[str, Any]:
    make = draft if kind == "draft" else scheduled
    return await make(calls, "Secret plans", content="treasure", tags=["secret"])


@HIDDEN
@pytest.mark.parametrize("caller", [None, "stranger", "moderator of users"])
async def test_nobody_else_learns_of_it(people: People, kind: str, caller: str | None) -> None:
    owner = await people.create()
    viewer: Person | None = None
    if caller:
        viewer = await people.create(permissions=["users:read"] if "users" in caller else [])
    async with people.client(owner) as mine, people.client(viewer) as others:
        post = await hidden(mine, kind)
        for reference in (post["id"], post["slug"]):
            assert is_refused(await others.get(f"{POSTS}/{reference}"), 404, "not_found")
        for url in (POSTS, f"/api/v1/users/{owner.id}/posts"):
            for query in ({}, {"q": "treasure"}, {"tag": "secret"}, {"tag": ["secret", "x"]}, {"sort": "title"}):
                page = (await others.get(url, params=query)).json()
                assert (page["items"], page["total"]) == ([], 0)
        assert (await others.get(POSTS, params={"author": str(owner.id)})).json()["total"] == 0
        assert (await others.get(TAGS)).json()["items"] == []
        assert "Secret" not in (await others.get(FEED)).text


@HIDDEN
async def test_its_author_sees_it(people: People, kind: str) -> None:
    async with people.client(await people.create()) as mine:
        post = await hidden(mine, kind)
        for reference in (post["id"], post["slug"]):
            shown = await mine.get(f"{POSTS}/{reference}")
            assert shown.json() == post
            assert shown.headers["cache-control"] == "private, no-cache"
        assert await titles(mine) == []
        for query in ({}, {"q": "TREASURE"}, {"q": "treasure", "sort": "-relevance"}, {"tag": "secret"}):
            assert await titles(mine, mine=True, **query) == ["Secret plans"]


async def test_own_posts_are_nobody_elses(people: People) -> None:
    async with people.client(await people.create()) as first, people.client(await people.create()) as second:
        await draft(first, "First's draft")
        await write(first, "First's post")
        await draft(second, "Second's draft")

        assert await titles(first, mine=True) == ["First's draft", "First's post"]
        assert await titles(second, mine=True) == ["Second's draft"]
        assert await titles(second, mine=False) == ["First's post"]


async def test_own_posts_need_a_sign_in(client: httpx.AsyncClient) -> None:
    response = await client.get(POSTS, params={"mine": True})

    assert is_refused(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("kind", ["draft", "scheduled", "published"])
async def test_a_strangers_change_tells_no_more_than_a_look(people: People, kind: str) -> None:
    async with people.client(await people.create()) as mine, people.client(await people.create()) as stranger:
        post = await (write(mine) if kind == "published" else hidden(mine, kind))
        url = f"{POSTS}/{post['id']}"
        absent = await stranger.delete(f"{POSTS}/{'0' * 8}-0000-7000-8000-{'0' * 12}")
        for answer in (
            await stranger.patch(url, json={"title": "Mine now"}),
            await stranger.patch(url, json={}, headers={"If-Match": '"99"'}),
            await stranger.post(f"{url}/publish"),
            await stranger.post(f"{url}/unpublish"),
            await stranger.delete(url),
        ):
            if kind == "published":
                assert is_refused(answer, 403, "permission_denied")
            else:
                assert is_refused(answer, 404, "not_found")
                assert answer.json()["detail"] == absent.json()["detail"]
        assert (await mine.get(url)).json() == post


async def test_time_alone_makes_a_scheduled_post_public(calls: httpx.AsyncClient, app: Litestar) -> None:
    post = await scheduled(calls, "Soon", content="tide", tags=["sea"])
    await let_time_pass(app, post["id"])

    assert await titles(calls) == await titles(calls, q="tide") == await titles(calls, tag="sea") == ["Soon"]
    assert (await calls.get(TAGS)).json()["items"] == [{"name": "sea", "posts": 1}]
    assert "Soon" in (await calls.get(FEED)).text


@pytest.mark.caller("anonymous")
async def test_only_people_write(calls: httpx.AsyncClient) -> None:
    assert is_refused(await calls.post(POSTS, json={"title": "x", "content": ""}), 401, "unauthenticated")

"""Drafts and scheduled posts of others are not shown: by id or slug, in lists, search, tags and the feed."""

from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.domain.accounts.answers import is_refused
from tests.domain.posts.writing import FEED, POSTS, TAGS, draft, let_time_pass, scheduled, titles, write
from tests.support.people import People, Person

pytestmark = pytest.mark.asvs("8.2.2")


async def hidden(calls: httpx.AsyncClient, kind: str) -> dict[str, Any]:
    make = draft if kind == "draft" else scheduled
    return await make(calls, "Secret plans", content="treasure", tags=["secret"])


async def test_no_one_else_sees_it(people: People) -> None:
    owner = await people.create()
    async with people.client(owner) as mine:
        posts = [await hidden(mine, kind) for kind in ("draft", "scheduled")]
        viewers: list[Person | None] = [None, await people.create(), await people.create(permissions=["users:read"])]
        for viewer in viewers:
            async with people.client(viewer) as others:
                for reference in (each[name] for each in posts for name in ("id", "slug")):
                    assert is_refused(await others.get(f"{POSTS}/{reference}"), 404, "not_found")
                queries: tuple[dict[str, Any], ...] = (
                    {},
                    {"q": "treasure"},
                    {"tag": "secret"},
                    {"tag": ["secret", "x"]},
                    {"sort": "title"},
                )
                for url in (POSTS, f"/api/v1/users/{owner.id}/posts"):
                    for query in (*queries, {"q": "treasure", "sort": "-relevance"}):
                        page = (await others.get(url, params=query)).json()
                        assert (page["items"], page["total"]) == ([], 0)
                assert (await others.get(POSTS, params={"author_id": str(owner.id)})).json()["total"] == 0
                assert (await others.get(TAGS)).json()["items"] == []
                assert "Secret" not in (await others.get(FEED)).text


async def test_authors_and_moderators_see_it(people: People) -> None:
    moderator = await people.create(permissions=["posts:write"])
    async with people.client(await people.create()) as mine, people.client(moderator) as moderates:
        for kind in ("draft", "scheduled"):
            post = await hidden(mine, kind)
            for calls in (mine, moderates):
                for reference in (post["id"], post["slug"]):
                    shown = await calls.get(f"{POSTS}/{reference}")
                    assert shown.json() == post
                    # What a slug means before it is public depends on who asks.
                    kept = "no-store" if reference == post["slug"] else "private, no-cache"
                    assert shown.headers["cache-control"] == kept
            assert await titles(mine) == []
            for query in ({}, {"q": "TREASURE"}, {"q": "treasure", "sort": "-relevance"}, {"tag": "secret"}):
                assert await titles(mine, mine=True, **query) == ["Secret plans"]
                assert await titles(moderates, mine=True, **query) == []
            await mine.delete(f"{POSTS}/{post['id']}")


async def test_own_posts_are_those_of_the_caller(people: People) -> None:
    async with people.client(await people.create()) as first, people.client(await people.create()) as second:
        await draft(first, "First's draft")
        await write(first, "First's post")
        await draft(second, "Second's draft")

        assert await titles(first, mine=True) == ["First's draft", "First's post"]
        assert await titles(second, mine=True) == ["Second's draft"]
        assert await titles(second, mine=False) == ["First's post"]


@pytest.mark.parametrize("query", [{"mine": True}, {"status": "draft"}, {"status": ["published", "scheduled"]}])
async def test_own_posts_need_a_sign_in(client: httpx.AsyncClient, query: dict[str, Any]) -> None:
    response = await client.get(POSTS, params=query)

    assert is_refused(response, 401, "unauthenticated")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_posts_by_status_are_ones_own_or_those_of_all_for_editors(people: People) -> None:
    writer = await people.create()
    editor, janitor = [await people.create(permissions=[f"posts:{each}"]) for each in ("write", "delete")]
    async with people.client(writer) as writes, people.client(editor) as edits, people.client(janitor) as cleans:
        await write(writes, "P", tags=["sea"])
        await draft(writes, "D", content="treasure", tags=["sea"])
        await scheduled(writes, "S", content="treasure", tags=["sea"])
        await draft(edits, "E")
        own = {("draft",): ["D"], ("scheduled",): ["S"], ("draft", "published"): ["D", "P"], ("published",): ["P"]}
        for status, found in own.items():
            assert await titles(writes, status=status, sort="title") == found
            assert await titles(edits, status=status, sort="title", author_id=str(writer.id)) == found
            assert await titles(cleans, status=status) == (["P"] if status == ("published",) else [])
        for query in ({}, {"q": "treasure"}, {"tag": "sea"}, {"author_id": [str(writer.id), str(editor.id)]}):
            page = (await cleans.get(POSTS, params={**query, "status": ["draft", "scheduled"]})).json()
            assert (page["items"], page["total"]) == ([], 0)
        assert await titles(edits, status=["draft", "scheduled"], sort="title") == ["D", "E", "S"]
        assert await titles(edits, status="draft", q="treasure") == ["D"]
        assert await titles(edits, status="draft", mine=True) == ["E"]
        assert await titles(writes, mine=True, author_id=str(editor.id)) == []
        answer = await edits.get(POSTS, params={"status": "draft", "page_size": 1})
        assert answer.headers["cache-control"] == "no-store"
        cursor = answer.json()["next_cursor"]
        assert is_refused(await writes.get(POSTS, params={"status": "draft", "cursor": cursor}), 400, "invalid_cursor")


async def test_a_refused_change_says_no_more_than_a_refused_read(people: People) -> None:
    async with people.client(await people.create()) as mine, people.client(await people.create()) as stranger:
        absent = await stranger.delete(f"{POSTS}/{'0' * 8}-0000-7000-8000-{'0' * 12}")
        for kind in ("draft", "scheduled", "published"):
            post = await (write(mine) if kind == "published" else hidden(mine, kind))
            url = f"{POSTS}/{post['id']}"
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
async def test_anonymous_callers_cannot_write(calls: httpx.AsyncClient) -> None:
    assert is_refused(await calls.post(POSTS, json={"title": "x", "content": ""}), 401, "unauthenticated")

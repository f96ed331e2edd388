"""Creating, updating, publishing and deleting posts."""

from datetime import datetime, timedelta
from typing import Any

import httpx
from litestar import Litestar

from app.domain.posts.models import Post, PostTag
from app.lib.clock import utc_now
from tests.domain.accounts.answers import audited, field_errors, is_refused, rows
from tests.domain.posts.writing import LATER, POSTS, draft, events, scheduled, titles, write
from tests.support.people import People


async def test_a_post_is_a_draft_unless_it_is_published(calls: httpx.AsyncClient, app: Litestar) -> None:
    response = await calls.post(POSTS, json={"title": "Logbook", "content": "# Day 1\n\nCalm, *clear* `sky`."})
    post = response.json()

    assert response.status_code == 201
    assert response.headers["location"] == f"{POSTS}/{post['id']}"
    assert response.headers["etag"].startswith('"1-')
    assert (post["slug"], post["is_published"], post["published_at"]) == ("logbook", False, None)
    assert post["excerpt"] == "Day 1 Calm, clear sky."
    assert post["version"] == 1
    assert await events(app) == []


async def test_publishing_twice_is_one_event(calls: httpx.AsyncClient, app: Litestar) -> None:
    post = await draft(calls)
    url = f"{POSTS}/{post['id']}"
    published = await calls.post(f"{url}/publish")
    again = await calls.post(f"{url}/publish", json={})

    assert published.status_code == again.status_code == 200
    assert published.json() == again.json()
    assert published.json()["is_published"] is True
    assert published.json()["version"] == 2
    assert datetime.fromisoformat(published.json()["published_at"]) <= utc_now()
    assert [(each.kind, each.aggregate_version) for each in await events(app)] == [("post.published", 2)]


async def test_unpublishing_makes_a_draft_again(
    calls: httpx.AsyncClient, app: Litestar, client: httpx.AsyncClient
) -> None:
    post = await write(calls)
    url = f"{POSTS}/{post['id']}"
    assert (await client.get(url)).status_code == 200
    hidden = await calls.post(f"{url}/unpublish")

    assert (hidden.status_code, hidden.json()["is_published"], hidden.json()["published_at"]) == (200, False, None)
    assert (await client.get(url)).status_code == 404
    assert (await calls.get(url)).status_code == 200
    await calls.post(f"{url}/publish")
    assert [each.kind for each in await events(app)] == ["post.published", "post.updated", "post.published"]


async def test_scheduling_makes_nothing_public_yet(
    calls: httpx.AsyncClient, app: Litestar, client: httpx.AsyncClient
) -> None:
    posts = [await scheduled(calls)]
    url = f"{POSTS}/{(await draft(calls))['id']}"
    posts.append((await calls.patch(url, json={"published_at": LATER})).json())
    await calls.post(f"{url}/unpublish")
    posts.append((await calls.post(f"{url}/publish", json={"published_at": LATER})).json())

    for post in posts:
        assert post["is_published"] is True
        assert datetime.fromisoformat(post["published_at"]) == datetime.fromisoformat(LATER)
        assert (await client.get(f"{POSTS}/{post['id']}")).status_code == 404
    assert await titles(client) == []
    assert await events(app, "post.published") == []


async def test_a_patch_changes_what_it_names(calls: httpx.AsyncClient, app: Litestar) -> None:
    post = await write(calls, tags=["sea", "wind", "sea"])
    url = f"{POSTS}/{post['id']}"
    for same in (
        {},
        {"title": post["title"], "content": "Wind and *waves*.", "tags": ["sea", "wind"], "excerpt": None},
    ):
        nothing = await calls.patch(url, json=same)
        assert (nothing.status_code, nothing.json()) == (200, post)
    changed = await calls.patch(url, json={"title": "Another day", "content": "Rain.", "tags": ["rain"]})

    assert post["tags"] == ["sea", "wind"]
    assert changed.json() == post | {
        "title": "Another day",
        "content": "Rain.",
        "excerpt": "Rain.",
        "tags": ["rain"],
        "version": 2,
        "updated_at": changed.json()["updated_at"],
    }
    assert (await calls.get(url)).json() == changed.json()
    assert [each.tag for each in await rows(app, PostTag)] == ["rain"]
    assert [each.kind for each in await events(app)] == ["post.published", "post.updated"]


async def test_an_own_excerpt_stays_until_it_is_cleared(calls: httpx.AsyncClient) -> None:
    post = await write(calls, excerpt="In short: wind.")
    url = f"{POSTS}/{post['id']}"
    kept = (await calls.patch(url, json={"content": "Much has changed."})).json()
    made = (await calls.patch(url, json={"excerpt": None})).json()

    assert (post["excerpt"], kept["excerpt"], made["excerpt"]) == (
        "In short: wind.",
        "In short: wind.",
        "Much has changed.",
    )


async def test_an_excerpt_is_the_beginning_without_markup(calls: httpx.AsyncClient) -> None:
    excerpts = {
        "": "",
        "a <b>bold</b> word": "a bold word",
        "<script>alert(1)</script>\n\nafter": "after",
        "![a *picture*](x.png) and [a link](https://example.com)": "a picture and a link",
        "one\ntwo  \nthree\n\n- four\n- five": "one two three four five",
        "```\ncode\n```\ntext &amp; more": "text & more",
        "word " * 100: "word " * 38 + "word…",
        "x" * 300: "x" * 199 + "…",
        "word " * 5_000: "word " * 38 + "word…",
    }
    for content, excerpt in excerpts.items():
        assert (await write(calls, content=content))["excerpt"] == excerpt


async def test_a_deleted_post_is_gone(calls: httpx.AsyncClient, app: Litestar) -> None:
    post = await write(calls, tags=["sea"])
    url = f"{POSTS}/{post['id']}"

    assert (await calls.get(url)).status_code == 200
    assert (await calls.delete(url)).status_code == 204
    assert (await calls.delete(url)).status_code == (await calls.get(url)).status_code == 404
    assert await rows(app, PostTag) == []
    [gone] = await events(app, "post.deleted")
    assert (str(gone.aggregate_id), gone.aggregate_version) == (post["id"], 2)


async def test_a_stale_version_is_refused(calls: httpx.AsyncClient) -> None:
    post = await write(calls)
    url = f"{POSTS}/{post['id']}"
    assert (await calls.patch(url, json={"title": "Two"}, headers={"If-Match": '"1"'})).status_code == 200

    for method, path in (("PATCH", url), ("DELETE", url), ("POST", f"{url}/publish"), ("POST", f"{url}/unpublish")):
        body: Any = {"json": {}} if method == "PATCH" else {}
        refused = await calls.request(method, path, headers={"If-Match": '"1"'}, **body)
        assert is_refused(refused, 412, "precondition_failed")


async def test_an_idempotency_key_makes_one_post(calls: httpx.AsyncClient, app: Litestar) -> None:
    body = {"title": "Once", "content": "", "is_published": True}
    first, second = [await calls.post(POSTS, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)]

    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert len(await rows(app, Post)) == len(await events(app)) == 1


async def test_moderators_change_and_delete_what_is_not_theirs(people: People, app: Litestar) -> None:
    writer = await people.create()
    editor = await people.create(permissions=["posts:write"])
    janitor = await people.create(permissions=["posts:delete"])
    async with people.client(writer) as mine, people.client(editor) as edits, people.client(janitor) as cleans:
        url = f"{POSTS}/{(await draft(mine))['id']}"
        assert (await edits.patch(url, json={"title": "Edited"})).status_code == 200
        assert is_refused(await edits.delete(url), 403, "permission_denied")
        assert is_refused(await cleans.patch(url, json={"title": "No"}), 403, "permission_denied")
        assert (await cleans.delete(url)).status_code == 204

    assert [each.subject_id for each in await audited(app, "post.updated")] == [writer.id]
    assert [each.actor_id for each in await audited(app, "post.deleted")] == [janitor.id]


async def test_invalid_fields_are_refused_at_creation_and_update(calls: httpx.AsyncClient) -> None:
    url = f"{POSTS}/{(await draft(calls))['id']}"
    cases: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({"title": ""}, {"/title": "too_short"}),
        ({"title": "x" * 256}, {"/title": "too_long"}),
        ({"title": "two\nlines"}, {"/title": "invalid_format"}),
        ({"title": "reversed \u202e text"}, {"/title": "invalid_format"}),
        ({"title": "nul \0"}, {"/title": "invalid_format"}),
        ({"content": "nul \0"}, {"/content": "invalid_format"}),
        ({"content": "x" * 100_001}, {"/content": "too_long"}),
        ({"content": None}, {"/content": "invalid_type"}),
        ({"excerpt": "x" * 501}, {"/excerpt": "too_long"}),
        ({"excerpt": " \n\t "}, {"/excerpt": "invalid_format"}),
        ({"title": "\u200b\ufeff \u3164"}, {"/title": "invalid_format"}),
        ({"tags": ["x"] * 10_000}, {"/tags": "too_long"}),
        ({"slug": "a/b"}, {"/slug": "invalid_format"}),
        ({"slug": "A"}, {"/slug": "invalid_format"}),
        ({"slug": "a--b"}, {"/slug": "invalid_format"}),
        ({"slug": "x" * 101}, {"/slug": "too_long"}),
        ({"slug": "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b"}, {"/slug": "invalid_format"}),
        ({"slug": None}, {"/slug": "invalid_type"}),
        ({"published_at": "9999-12-31T00:00:00Z"}, {"/published_at": "too_large"}),
        ({"published_at": "1969-12-31T23:59:59Z"}, {"/published_at": "too_small"}),
        ({"published_at": "2026-01-01T00:00:00"}, {"/published_at": "invalid_format"}),
        ({"tags": ["Sea", "-a", "ä"]}, {f"/tags/{i}": "invalid_format" for i in range(3)}),
        ({"tags": ["", "x" * 41]}, {"/tags/0": "too_short", "/tags/1": "too_long"}),
        ({"published_at": LATER, "is_published": False}, {"/published_at": "invalid_choice"}),
        ({"author_id": "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b"}, {"/author_id": "unknown_field"}),
        ({"version": 7}, {"/version": "unknown_field"}),
    ]
    for body, errors in cases:
        assert field_errors(await calls.post(POSTS, json={"title": "Fine", "content": "Fine.", **body})) == errors
        assert field_errors(await calls.patch(url, json=body)) == errors


async def test_text_from_right_to_left_is_text(calls: httpx.AsyncClient) -> None:
    post = await write(calls, "ספר היומן", content="يوم في البحر")

    assert post["slug"].isascii()
    assert post["excerpt"] == "يوم في البحر"


async def test_publication_may_lie_in_the_past(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    old = (utc_now() - timedelta(days=400)).isoformat()
    await write(calls, "Old", published_at=old)
    await write(calls, "New")

    assert await titles(client) == ["New", "Old"]

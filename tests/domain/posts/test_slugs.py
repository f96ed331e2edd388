"""Slugs: stable names of posts in URLs."""

import asyncio

import httpx
from litestar import Litestar

from app.domain.posts.models import PostSlug
from tests.domain.accounts.answers import is_refused, rows
from tests.domain.posts.test_announcements import announce
from tests.domain.posts.writing import POSTS, draft, let_time_pass, scheduled, write
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
    assert (await calls.get(f"{POSTS}/third")).json() == moved


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

    kept = await rows(app, PostSlug)
    assert [(len(each.digest), each.post_id) for each in kept] == [(64, None)] * 2
    assert (await write(calls, "Telling words"))["slug"] == "telling-words-2"


async def test_a_slug_that_is_given_up_stays_taken_at_the_same_moment(calls: httpx.AsyncClient) -> None:
    post = await write(calls, "First")
    body = {"title": "x", "content": "", "slug": "first", "is_published": True}
    _, *answers = await asyncio.gather(
        calls.patch(f"{POSTS}/{post['id']}", json={"slug": "second"}), *[calls.post(POSTS, json=body) for _ in range(6)]
    )

    assert {each.status_code for each in answers} == {409}


async def test_an_asked_slug_that_is_taken_is_a_conflict(calls: httpx.AsyncClient) -> None:
    await draft(calls, "Own draft")
    await write(calls, "Taken")
    post = await draft(calls, "Other")

    for answer in (
        await calls.post(POSTS, json={"title": "x", "content": "", "slug": "own-draft"}),
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


async def test_what_is_not_public_does_not_show_by_the_slugs_of_others(
    people: People, client: httpx.AsyncClient
) -> None:
    """Neither by a number, nor by a refusal, nor by what becomes of the own post."""
    ada, eve = await people.create(), await people.create()
    async with people.client(ada) as adas, people.client(eve) as eves:
        hidden = [
            await draft(adas, "Merger"),
            await scheduled(adas, "Launch"),
            await draft(adas, "x", slug="asked-for"),
        ]
        seen = [
            await draft(eves, "Merger"),
            await write(eves, "Launch"),
            await scheduled(eves, "x", slug="asked-for"),
        ]
        renamed = await eves.patch(f"{POSTS}/{seen[0]['id']}", json={"slug": "launched"})
        back = await eves.patch(f"{POSTS}/{seen[0]['id']}", json={"slug": "merger"})
        unchanged = [(await adas.get(f"{POSTS}/{each['id']}")).json() for each in hidden]
        own = [(await each.get(f"{POSTS}/merger")).json()["id"] for each in (adas, eves)]

    assert [each["slug"] for each in seen] == ["merger", "launch", "asked-for"]
    assert (renamed.status_code, back.json()["slug"]) == (200, "merger")
    assert unchanged == hidden
    assert own == [hidden[0]["id"], seen[0]["id"]]
    assert (await client.get(f"{POSTS}/merger")).status_code == 404
    assert (await client.get(f"{POSTS}/launch")).json()["id"] == seen[1]["id"]


async def test_a_slug_that_went_to_another_post_gets_a_number_at_publication(
    app: Litestar, people: People, client: httpx.AsyncClient
) -> None:
    ada, eve = await people.create(), await people.create()
    async with people.client(ada) as adas, people.client(eve) as eves:
        hidden, soon = await draft(adas, "Merger"), await scheduled(adas, "Launch")
        first = [await write(eves, title) for title in ("Merger", "Launch")]
        published = await adas.post(f"{POSTS}/{hidden['id']}/publish")
        await let_time_pass(app, soon["id"])
        before = (await client.get(f"{POSTS}/{soon['id']}")).json()
        await announce(app)
        after = (await client.get(f"{POSTS}/launch-2")).json()

    assert published.json()["slug"] == "merger-2"
    assert (before["slug"], after["id"], after["version"]) == ("launch", soon["id"], before["version"] + 1)
    for post in first:
        assert (await client.get(f"{POSTS}/{post['slug']}")).json()["id"] == post["id"]


async def test_a_scheduled_post_has_its_slug_at_its_time(
    app: Litestar, people: People, client: httpx.AsyncClient
) -> None:
    """Also before a job has announced it; and then for good."""
    ada, eve = await people.create(), await people.create()
    async with people.client(ada) as adas, people.client(eve) as eves:
        soon = await scheduled(adas, "Launch")
        await let_time_pass(app, soon["id"])
        at_once = await client.get(f"{POSTS}/launch")
        await announce(app)
        other = await write(eves, "Launch")

    assert at_once.json()["id"] == soon["id"]
    assert other["slug"] == "launch-2"
    assert (await client.get(f"{POSTS}/launch")).json()["version"] == soon["version"]


async def test_a_name_that_two_drafts_have_is_no_answer_for_another_person(people: People) -> None:
    ada, eve = await people.create(), await people.create()
    async with people.client(ada) as adas, people.client(eve) as eves:
        await draft(adas, "Merger")
        await draft(eves, "Merger")
        mine = await adas.get(f"{POSTS}/merger")
        theirs = await eves.get(f"{POSTS}/merger", headers={"If-None-Match": mine.headers["etag"]})

    assert (mine.headers["cache-control"], theirs.status_code) == ("no-store", 200)


async def test_many_drafts_of_one_title_at_once_have_slugs_of_their_own(calls: httpx.AsyncClient) -> None:
    drafts = await asyncio.gather(*[draft(calls, "The same") for _ in range(MANY)])

    assert len({each["slug"] for each in drafts}) == MANY

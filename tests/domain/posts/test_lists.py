"""How lists of posts are narrowed, sorted and walked."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from app.lib.clock import utc_now
from tests.domain.accounts.answers import field_errors, is_refused
from tests.domain.posts.writing import POSTS, TAGS, draft, titles, write
from tests.support.apps import components_of
from tests.support.counting import counted_statements
from tests.support.people import People

NOON = utc_now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=10)


async def shelf(calls: httpx.AsyncClient, count: int = 7) -> None:
    """Posts; every two of them have one instant, and titles repeat."""
    for i in range(count):
        tags = ["even" if i % 2 == 0 else "odd", "all"]
        await write(calls, f"Post {i % 3}", published_at=(NOON + timedelta(hours=i // 2)).isoformat(), tags=tags)


async def ids(calls: httpx.AsyncClient, url: str = POSTS, **query: Any) -> list[str]:
    return [post["id"] for post in (await calls.get(url, params={"page_size": 100, **query})).json()["items"]]


@pytest.mark.parametrize("mine", [False, True])
@pytest.mark.parametrize("sort", [None, "published_at", "title", "-title", "created_at", "-created_at,title"])
@pytest.mark.parametrize("query", [{}, {"tag": "all"}, {"tag": ["all", "odd"]}, {"q": "wind"}])
async def test_pages_and_cursors_walk_the_same_list(
    calls: httpx.AsyncClient, query: dict[str, Any], sort: str | None, mine: bool
) -> None:
    await shelf(calls)
    wanted = {**query, **({"sort": sort} if sort else {}), "mine": mine}
    whole = await ids(calls, **wanted)
    by_page = [each for page in (1, 2, 3, 4) for each in await ids(calls, **wanted, page=page, page_size=2)]
    by_cursor: list[str] = []
    page = (await calls.get(POSTS, params={**wanted, "page_size": 2})).json()
    assert page["total"] == 7
    while True:
        by_cursor += [post["id"] for post in page["items"]]
        if page["next_cursor"] is None:
            break
        page = (await calls.get(POSTS, params={**wanted, "page_size": 2, "cursor": page["next_cursor"]})).json()

    assert len(whole) == len(set(whole)) == 7
    assert whole == by_page == by_cursor


async def test_the_newest_come_first(calls: httpx.AsyncClient) -> None:
    await shelf(calls)
    page = (await calls.get(POSTS)).json()
    instants = [post["published_at"] for post in page["items"]]

    assert instants == sorted(instants, reverse=True)
    assert "content" not in page["items"][0]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"tag": "odd"}, 3),
        ({"tag": "even"}, 4),
        ({"tag": ["odd", "even"]}, 7),
        ({"tag": "none"}, 0),
        ({"tag": "ODD"}, 0),
        ({"published_after": (NOON + timedelta(hours=1)).isoformat()}, 3),
        ({"published_before": (NOON + timedelta(hours=1)).isoformat()}, 2),
        ({"tag": "odd", "published_after": (NOON + timedelta(hours=1)).isoformat()}, 1),
        ({"author": "{me}"}, 7),
        ({"author": ["{me}", str(uuid4())]}, 7),
        ({"author": str(uuid4())}, 0),
        ({"author": "{me}", "tag": "odd", "q": "waves"}, 3),
    ],
)
async def test_filters(people: People, query: dict[str, Any], found: int) -> None:
    me = await people.create()
    async with people.client(me) as calls:
        await shelf(calls)
        filled = {
            name: [each.format(me=me.id) for each in value] if isinstance(value, list) else value.format(me=me.id)
            for name, value in query.items()
        }
        page = (await calls.get(POSTS, params=filled)).json()
        assert (len(page["items"]), page["total"]) == (found, found)
        if "author" not in query:
            assert len(await ids(calls, f"/api/v1/users/{me.id}/posts", **filled)) == found


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ({"sort": "content"}, {"sort": "invalid_choice"}),
        ({"sort": "-relevance"}, {"sort": "invalid_choice"}),
        ({"author": "me"}, {"author": "invalid_format"}),
        ({"expand": "tags"}, {"expand": "invalid_choice"}),
        ({"mine": "perhaps"}, {"mine": "invalid_type"}),
        ({"q": "x" * 201}, {"q": "too_long"}),
        ({"published_after": "yesterday"}, {"published_after": "invalid_format"}),
    ],
)
async def test_what_no_list_understands(
    calls: httpx.AsyncClient, query: dict[str, str], errors: dict[str, str]
) -> None:
    assert field_errors(await calls.get(POSTS, params=query)) == errors


async def test_a_cursor_is_good_for_its_own_list(calls: httpx.AsyncClient) -> None:
    await shelf(calls)
    cursor = (await calls.get(POSTS, params={"page_size": 2, "tag": "all"})).json()["next_cursor"]

    others: list[dict[str, Any]] = [{}, {"tag": "odd"}, {"tag": "all", "mine": True}, {"tag": "all", "q": "-"}]
    for query in others:
        assert is_refused(await calls.get(POSTS, params={**query, "cursor": cursor}), 400, "invalid_cursor")


async def test_a_person_without_posts_is_not_a_person_who_is_not_there(people: People) -> None:
    person = await people.create()
    gone = await people.create(is_active=False)
    async with people.client() as calls:
        assert (await calls.get(f"/api/v1/users/{person.id}/posts")).json()["items"] == []
        for nobody in (uuid4(), gone.id):
            assert (await calls.get(f"/api/v1/users/{nobody}/posts")).status_code == 404


async def test_authors_come_in_one_more_query_and_without_their_address(people: People, app: Litestar) -> None:
    names = ["Ada Lovelace", "Grace Hopper", "Alan Turing"]
    for name in names:
        async with people.client(await people.create(name=name)) as calls:
            for number in range(3):
                post = await write(calls, f"{name} {number}")
    async with people.client() as calls:
        counts = []
        queries: list[dict[str, Any]] = [
            {},
            {"expand": "author"},
            {"expand": "author", "page_size": 2},
            {"expand": "author", "q": "nowhere"},
        ]
        for query in queries:
            components_of(app).post_memory.forget()
            with counted_statements(app) as statements:
                response = await calls.get(POSTS, params={"include_total": False, **query})
            assert response.status_code == 200
            counts.append(len(statements))
        shown = (await calls.get(POSTS, params={"expand": "author"})).json()["items"]
        single = await calls.get(f"{POSTS}/{post['id']}", params={"expand": "author"})

    assert counts == [1, 2, 2, 2]
    assert [each["author"]["full_name"] for each in shown] == [name for name in reversed(names) for _ in range(3)]
    assert {each["author"]["user_id"] for each in shown} == {each["author_id"] for each in shown}
    assert single.json()["author"] == shown[0]["author"]
    assert "etag" not in single.headers
    assert "@" not in single.text + str(shown)


async def test_a_deactivated_author_is_not_shown(people: People, app: Litestar) -> None:
    writer = await people.create(name="Gone")
    async with people.client(writer) as calls:
        await write(calls)
    async with people.client(await people.create(is_superuser=True)) as boss:
        assert (await boss.post(f"/api/v1/users/{writer.id}/deactivate")).status_code == 200
        [shown] = (await boss.get(POSTS, params={"expand": "author"})).json()["items"]

    assert shown["author"] is None


async def test_tags_are_counted(calls: httpx.AsyncClient) -> None:
    await shelf(calls)
    await draft(calls, tags=["odd", "secret"])
    page = (await calls.get(TAGS)).json()
    by_name = (await calls.get(TAGS, params={"sort": "name", "page_size": 2})).json()
    rest = (await calls.get(TAGS, params={"sort": "name", "page_size": 2, "cursor": by_name["next_cursor"]})).json()

    assert page["items"] == [{"name": "all", "posts": 7}, {"name": "even", "posts": 4}, {"name": "odd", "posts": 3}]
    assert page["total"] == 3
    assert [tag["name"] for tag in by_name["items"] + rest["items"]] == ["all", "even", "odd"]


async def test_titles_are_sorted_without_case(calls: httpx.AsyncClient) -> None:
    for title in ("beta", "Alpha", "álpha", "Gamma"):
        await write(calls, title)

    assert await titles(calls, sort="title") == ["Alpha", "beta", "Gamma", "álpha"]

"""How lists of posts are narrowed, sorted and walked."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
from litestar import Litestar

from app.lib.clock import utc_now
from tests.domain.accounts.answers import field_errors, is_refused
from tests.domain.posts.writing import POSTS, titles, write
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


async def test_pages_and_cursors_walk_the_same_list(calls: httpx.AsyncClient) -> None:
    """Whether the plain list, a window or the full-text index serves it."""
    await shelf(calls)
    queries: list[dict[str, Any]] = [{}, {"tag": ["all", "odd"]}, {"q": "wind"}, {"tag": "all", "mine": True}]
    for query in queries:
        for sort in ("-published_at", "title", "-created_at,title", *(["-relevance"] if "q" in query else [])):
            wanted = {**query, "sort": sort}
            whole = await ids(calls, **wanted)
            by_page = [each for page in (1, 2, 3) for each in await ids(calls, **wanted, page=page, page_size=3)]
            by_cursor: list[str] = []
            page = (await calls.get(POSTS, params={**wanted, "page_size": 3})).json()
            assert page["total"] == 7
            while True:
                by_cursor += [post["id"] for post in page["items"]]
                if page["next_cursor"] is None:
                    break
                page = (await calls.get(POSTS, params={**wanted, "page_size": 3, "cursor": page["next_cursor"]})).json()

            assert len(whole) == len(set(whole)) == 7
            assert whole == by_page == by_cursor, wanted


async def test_the_newest_come_first(calls: httpx.AsyncClient) -> None:
    await shelf(calls)
    page = (await calls.get(POSTS)).json()
    instants = [post["published_at"] for post in page["items"]]

    assert instants == sorted(instants, reverse=True)
    assert "content" not in page["items"][0]


async def test_filters(people: People) -> None:
    me, noon = await people.create(), (NOON + timedelta(hours=1)).isoformat()
    cases: list[tuple[dict[str, Any], int]] = [
        ({"tag": "odd"}, 3),
        ({"tag": "even"}, 4),
        ({"tag": ["odd", "even"]}, 7),
        ({"tag": "none"}, 0),
        ({"tag": "ODD"}, 0),
        ({"tag": "odd' | 'even"}, 0),
        ({"published_after": noon}, 5),
        ({"published_before": noon}, 2),
        ({"tag": "odd", "published_after": noon}, 2),
        ({"author_id": str(me.id)}, 7),
        ({"author_id": [str(me.id), str(uuid4())]}, 7),
        ({"author_id": str(uuid4())}, 0),
        ({"author_id": str(me.id), "tag": "odd", "q": "waves"}, 3),
    ]
    async with people.client(me) as calls:
        await shelf(calls)
        for query, found in cases:
            page = (await calls.get(POSTS, params=query)).json()
            assert (len(page["items"]), page["total"]) == (found, found), query
            if "author_id" not in query:
                assert len(await ids(calls, f"/api/v1/users/{me.id}/posts", **query)) == found


async def test_unknown_values_of_parameters_are_refused(calls: httpx.AsyncClient) -> None:
    cases = {
        "sort": ("content", "invalid_choice"),
        "author_id": ("me", "invalid_format"),
        "status": ("hidden", "invalid_choice"),
        "expand": ("tags", "invalid_choice"),
        "mine": ("perhaps", "invalid_type"),
        "published_after": ("yesterday", "invalid_format"),
    }
    for name, (value, code) in cases.items():
        assert field_errors(await calls.get(POSTS, params={name: value})) == {name: code}


async def test_a_cursor_is_good_for_its_own_list(calls: httpx.AsyncClient) -> None:
    await shelf(calls)
    cursor = (await calls.get(POSTS, params={"page_size": 2, "tag": "all"})).json()["next_cursor"]

    others: list[dict[str, Any]] = [{}, {"tag": "odd"}, {"tag": "all", "mine": True}, {"tag": "all", "q": "-"}]
    for query in others:
        assert is_refused(await calls.get(POSTS, params={**query, "cursor": cursor}), 400, "invalid_cursor")


async def test_a_user_without_posts_has_an_empty_list(people: People) -> None:
    person = await people.create()
    gone = await people.create(is_active=False)
    async with people.client() as calls:
        assert (await calls.get(f"/api/v1/users/{person.id}/posts")).json()["items"] == []
        for absent in (uuid4(), gone.id):
            assert (await calls.get(f"/api/v1/users/{absent}/posts")).status_code == 404


async def test_expanded_authors_cost_one_query_and_show_no_address(people: People, app: Litestar) -> None:
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
            {"expand": "author", "q": "ada"},
        ]
        for query in queries:
            with counted_statements(app) as statements:
                response = await calls.get(POSTS, params={"include_total": False, **query})
            assert response.status_code == 200
            counts.append(len(statements))
        shown = (await calls.get(POSTS, params={"expand": "author"})).json()["items"]
        single = await calls.get(f"{POSTS}/{post['id']}", params={"expand": "author"})

    assert counts == [1, 2, 2, 3]
    assert [each["author"]["name"] for each in shown] == [name for name in reversed(names) for _ in range(3)]
    assert {each["author"]["id"] for each in shown} == {each["author_id"] for each in shown}
    assert single.json()["author"] == shown[0]["author"]
    assert "etag" not in single.headers
    assert "@" not in single.text + str(shown)


async def test_of_a_deactivated_author_only_the_id_is_shown(people: People) -> None:
    writer = await people.create(name="Gone", username="gone")
    async with people.client(writer) as calls:
        await write(calls)
    async with people.client(await people.create(is_superuser=True)) as boss:
        assert (await boss.post(f"/api/v1/users/{writer.id}/deactivate")).status_code == 200
        [shown] = (await boss.get(POSTS, params={"expand": "author"})).json()["items"]

    assert shown["author"] == {"id": str(writer.id), "username": None, "name": None, "avatar_url": None}


async def test_titles_are_sorted_without_case(calls: httpx.AsyncClient) -> None:
    for title in ("beta", "Alpha", "álpha", "Gamma"):
        await write(calls, title)

    assert await titles(calls, sort="title") == ["Alpha", "beta", "Gamma", "álpha"]

"""How GET /users is sorted and walked."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from app.lib.clock import utc_now
from tests.domain.accounts.answers import ROLES, USERS, JSONObject, is_refused
from tests.support.counting import counted_statements
from tests.support.people import People

FRAKTUR = "\U0001d504\U0001d521\U0001d51e"  # reads and folds as "ada"
START = utc_now().replace(microsecond=0) - timedelta(days=1)
NAMES = ["Zoë", "ada", "Ada", None, "Émile", "Grace", None, "ada", "李小龙", "Olaf", FRAKTUR]


@pytest_asyncio.fixture
async def crowd(people: People, calls: httpx.AsyncClient) -> None:
    """Eleven people; names and times occur more than once, and the caller comes last in time."""
    for i, name in enumerate(NAMES):
        address = f"{chr(ord('a') + (i * 7) % 26)}{i}@example.com"
        await people.create(email=address, name=name, created_at=START + timedelta(minutes=i // 3), is_verified=True)


async def get(calls: httpx.AsyncClient, **query: Any) -> JSONObject:
    response = await calls.get(USERS, params=query)
    assert response.status_code == 200, response.text
    page: JSONObject = response.json()
    return page


def emails(page: JSONObject) -> list[str]:
    return [user["email"] for user in page["items"]]


async def by_cursor(calls: httpx.AsyncClient, **query: Any) -> list[str]:
    """The whole list, walked by cursor."""
    page = await get(calls, **query)
    found = emails(page)
    while page["next_cursor"]:
        page = await get(calls, **query, cursor=page["next_cursor"])
        found += emails(page)
    return found


async def by_page(calls: httpx.AsyncClient, **query: Any) -> list[str]:
    """The whole list, walked by page."""
    first = await get(calls, **query)
    found = emails(first)
    for number in range(2, first["pages"] + 1):
        found += emails(await get(calls, **query, page=number))
    return found


def _fold(name: str | None) -> str:
    return {FRAKTUR: "ada", "Émile": "émile"}.get(name or "", (name or "").casefold())


KEYS: dict[str, Any] = {
    "created_at": lambda user: datetime.fromisoformat(user["created_at"]),
    "email": lambda user: user["email"],
    "name": lambda user: _fold(user["name"]).encode(),
}


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
async def test_every_key_sorts_both_ways(calls: httpx.AsyncClient) -> None:
    for key, value in KEYS.items():
        up, down = await get(calls, sort=key), await get(calls, sort=f"-{key}")
        assert up["items"] == sorted(up["items"], key=lambda user: (value(user), user["id"]))
        assert down["items"] == up["items"][::-1]
    by_name = (await get(calls, sort="name,-created_at,email"))["items"]

    assert await get(calls) == await get(calls, sort="-created_at")
    assert [user["name"] for user in by_name[:7]] == [None, None, None, FRAKTUR, "ada", "ada", "Ada"]


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
@pytest.mark.parametrize("sort", ["-name,created_at", "email"])
async def test_all_walks_see_all_users_once_and_in_the_same_order(calls: httpx.AsyncClient, sort: str) -> None:
    everyone = emails(await get(calls, sort=sort, page_size=100))
    found = await get(calls, sort=sort, q="ada", page_size=100)

    assert len(set(everyone)) == 12
    assert await by_page(calls, sort=sort, page_size=5) == everyone
    assert await by_cursor(calls, sort=sort, page_size=5) == everyone
    assert len(emails(found)) == 4
    assert await by_cursor(calls, sort=sort, q="ada", page_size=1) == emails(found)


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read", "roles:read")
async def test_a_cursor_is_good_for_its_own_list_only(calls: httpx.AsyncClient) -> None:
    page = await get(calls, page_size=5)
    cursor = page["next_cursor"]

    assert {name: page[name] for name in ("total", "page", "pages")} == {"total": 12, "page": 1, "pages": 3}
    for query in ({"sort": "email"}, {"q": "a"}, {"role": "captain"}, {"cursor": cursor[:-1]}, {"cursor": ""}):
        response = await calls.get(USERS, params={"page_size": 5, "cursor": cursor, **query})
        assert is_refused(response, 400, "invalid_cursor")
    assert is_refused(await calls.get(ROLES, params={"cursor": cursor}), 400, "invalid_cursor")
    assert is_refused(await calls.get(USERS, params={"page": 2, "cursor": cursor}), 400, "unknown_parameter")


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
async def test_links_lead_through_the_pages(calls: httpx.AsyncClient) -> None:
    middle = await calls.get(USERS, params={"page_size": 5, "page": 2})
    filtered = await calls.get(USERS, params={"page_size": "5", "q": "a", "role": ["x&y", "z"]})
    next_page = await calls.get(middle.links["next"]["url"])

    assert set(middle.links) == {"first", "prev", "next"}
    assert next_page.json()["page"] == 3
    assert parse_qs(urlsplit(filtered.links["first"]["url"]).query) == {
        "page_size": ["5"], "q": ["a"], "role": ["x&y", "z"]
    }  # fmt: skip


@pytest.mark.caller("users:read", "roles:read")
async def test_the_number_of_statements_does_not_grow_with_the_rows(
    app: Litestar, calls: httpx.AsyncClient, people: People
) -> None:
    async def count(url: str) -> int:
        with counted_statements(app) as statements:
            assert (await calls.get(url)).status_code == 200
        # Who calls is remembered for a second, so that may or may not be asked for.
        return len([statement for statement in statements if "FROM sessions" not in statement])

    urls = [f"{USERS}?page_size=100", f"{USERS}?role=made-for-1&q=person&sort=name&page_size=100", f"{ROLES}"]
    before = [await count(url) for url in urls]
    for i in range(99):
        await people.create(permissions=["users:read"] if i % 10 == 0 else [], name=f"Person {i}")

    assert len((await get(calls, page_size=100))["items"]) == 100
    assert [await count(url) for url in urls] == before == [1, 1, 1]
    assert await count(f"{USERS}?page_size=50") == 2

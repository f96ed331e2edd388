"""How GET /users is sorted and walked."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar
from sqlalchemy import insert

from app.domain.accounts.models import User
from app.lib.clock import utc_now
from tests.domain.accounts.answers import ROLES, USERS, JSONObject, field_errors, is_refused
from tests.support.apps import core_of
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
@pytest.mark.parametrize("key", KEYS)
async def test_every_key_sorts_both_ways(calls: httpx.AsyncClient, key: str) -> None:
    up = await get(calls, sort=key)
    down = await get(calls, sort=f"-{key}")

    assert up["items"] == sorted(up["items"], key=lambda user: (KEYS[key](user), user["id"]))
    assert down["items"] == up["items"][::-1]


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
async def test_the_newest_come_first_by_default(calls: httpx.AsyncClient) -> None:
    assert await get(calls) == await get(calls, sort="-created_at")


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
async def test_several_keys_settle_ties_in_their_order(calls: httpx.AsyncClient) -> None:
    users = (await get(calls, sort="name,-created_at,email"))["items"]

    def order(user: JSONObject) -> tuple[Any, ...]:
        return KEYS["name"](user), -KEYS["created_at"](user).timestamp(), user["email"]

    assert users == sorted(users, key=order)
    assert [user["name"] for user in users[:7]] == [None, None, None, FRAKTUR, "ada", "ada", "Ada"]


@pytest.mark.caller("users:read")
@pytest.mark.parametrize(
    "sort",
    ["password_hash", "email_key", "id", "-", "", "--email", "email,", "email,email", "email,-email", "Email",
     "email;name", "created_at,email,name,id", "updated_at", "email asc", " email"],
)  # fmt: skip
async def test_an_unknown_key_is_refused(calls: httpx.AsyncClient, sort: str) -> None:
    response = await calls.get(USERS, params={"sort": sort})

    assert set(field_errors(response)) == {"sort"}


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
@pytest.mark.parametrize(
    "sort", ["created_at", "-created_at", "name", "-name", "email", "-email", "-name,created_at", "created_at,-email"]
)
async def test_all_walks_see_everybody_once_and_in_the_same_order(calls: httpx.AsyncClient, sort: str) -> None:
    everybody = emails(await get(calls, sort=sort, page_size=100))

    assert len(set(everybody)) == 12
    for size in (1, 5, 12, 13):
        assert await by_page(calls, sort=sort, page_size=size) == everybody
        assert await by_cursor(calls, sort=sort, page_size=size) == everybody


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
async def test_walks_keep_to_their_filters(calls: httpx.AsyncClient) -> None:
    query = {"q": "ada", "sort": "name", "page_size": 1}

    assert len(await by_cursor(calls, **query)) == 4
    assert await by_cursor(calls, **query) == await by_page(calls, **query)


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
async def test_a_walk_by_cursor_misses_no_user_when_others_come_and_go(
    calls: httpx.AsyncClient, people: People
) -> None:
    everybody = emails(await get(calls, sort="email"))
    first = await get(calls, sort="email", page_size=5)
    await people.create(email="a0aa@example.com")
    admin = await people.create(is_superuser=True, email="zzz@example.com")
    await calls.delete(f"{USERS}/{first['items'][4]['id']}", headers=admin.headers)

    rest = await get(calls, sort="email", page_size=100, cursor=first["next_cursor"])

    assert emails(rest) == [*everybody[5:], "zzz@example.com"]


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
async def test_the_envelope_of_a_page(calls: httpx.AsyncClient) -> None:
    page = await get(calls, page=2, page_size=5)

    assert len(page.pop("items")) == 5
    assert page.pop("next_cursor")
    assert page == {"total": 12, "total_capped": False, "page": 2, "page_size": 5, "pages": 3}


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
async def test_the_envelope_of_a_cursor(calls: httpx.AsyncClient) -> None:
    cursor = (await get(calls, page_size=10))["next_cursor"]

    plain = await get(calls, page_size=10, cursor=cursor)
    counted = await get(calls, page_size=10, cursor=cursor, include_total="true")

    assert len(plain["items"]) == len(counted["items"]) == 2
    empty = {"page": None, "page_size": 10, "total_capped": False, "next_cursor": None}
    assert plain == {"items": plain["items"], "total": None, "pages": None, **empty}
    assert counted == {"items": plain["items"], "total": 12, "pages": 2, **empty}


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
async def test_a_total_can_be_done_without(calls: httpx.AsyncClient) -> None:
    page = await get(calls, page_size=5, include_total="false")

    assert (page["total"], page["pages"], page["page"]) == (None, None, 1)
    assert page["next_cursor"]


@pytest.mark.caller("users:read")
async def test_a_total_is_counted_up_to_ten_thousand(app: Litestar, calls: httpx.AsyncClient, people: People) -> None:
    shared = {
        "email": "x",
        "locale": "en",
        "password_hash": "x",
        "created_at": START,
        "updated_at": START,
        "version": 1,
    }
    many = [shared | {"id": uuid4(), "email_key": f"{i}@example.com"} for i in range(9_999)]
    async with core_of(app).database.independent() as unit:
        await unit.session.execute(insert(User), many)
    exactly = await get(calls, page_size=100)
    await people.create()
    more = await get(calls, page_size=100)
    last = await get(calls, page_size=100, page=100)

    assert (exactly["total"], exactly["total_capped"], exactly["pages"]) == (10_000, False, 100)
    assert (more["total"], more["total_capped"], more["pages"]) == (10_000, True, 100)
    assert len(last["items"]) == 100
    assert len((await get(calls, page_size=100, cursor=last["next_cursor"]))["items"]) == 1


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
async def test_a_page_past_the_end_is_empty(calls: httpx.AsyncClient) -> None:
    page = await get(calls, page=9, page_size=5)

    assert (page["items"], page["next_cursor"], page["total"], page["pages"]) == ([], None, 12, 3)


@pytest.mark.caller("users:read")
@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ({"page_size": "0"}, "page_size", "too_small"),
        ({"page_size": "101"}, "page_size", "too_large"),
        ({"page_size": "-1"}, "page_size", "too_small"),
        ({"page_size": "ten"}, "page_size", "invalid_type"),
        ({"page": "0"}, "page", "too_small"),
        ({"page": "1.5"}, "page", "invalid_type"),
        ({"page": "501"}, "page", "too_large"),
        ({"page": "101", "page_size": "100"}, "page", "too_large"),
        ({"page": "9" * 40}, "page", "too_large"),
        ({"include_total": "some"}, "include_total", "invalid_type"),
    ],
)
async def test_pages_have_bounds(calls: httpx.AsyncClient, query: JSONObject, parameter: str, code: str) -> None:
    assert field_errors(await calls.get(USERS, params=query)) == {parameter: code}


@pytest.mark.caller("users:read")
async def test_the_last_page_that_can_be_asked_for(calls: httpx.AsyncClient) -> None:
    assert (await get(calls, page=100, page_size=100))["items"] == []


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
@pytest.mark.parametrize(
    "query",
    [{"sort": "email"}, {"is_active": "true"}, {"q": "a"}, {"role": "captain"}, {"sort": "created_at"},
     {"created_after": "2020-01-01T00:00:00Z"}],
)  # fmt: skip
async def test_a_cursor_is_good_for_its_own_list_only(calls: httpx.AsyncClient, query: JSONObject) -> None:
    cursor = (await get(calls, page_size=5))["next_cursor"]

    response = await calls.get(USERS, params={"page_size": 5, "cursor": cursor, **query})

    assert is_refused(response, 400, "invalid_cursor")


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read", "roles:read")
async def test_a_cursor_cannot_be_forged(calls: httpx.AsyncClient) -> None:
    cursor = (await get(calls, page_size=5))["next_cursor"]
    forged = [cursor[:-1], cursor + "A", "A" + cursor[1:], cursor.swapcase(), "null", "", "=", "a" * 7000, "ü"]

    for each in forged:
        response = await calls.get(USERS, params={"page_size": 5, "cursor": each})
        assert is_refused(response, 400, "invalid_cursor")
    assert is_refused(await calls.get(ROLES, params={"cursor": cursor}), 400, "invalid_cursor")


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
async def test_page_and_cursor_do_not_go_together(calls: httpx.AsyncClient) -> None:
    cursor = (await get(calls, page_size=5))["next_cursor"]

    response = await calls.get(USERS, params={"page": 2, "cursor": cursor})

    assert is_refused(response, 400, "unknown_parameter")


def links(response: httpx.Response) -> dict[str, dict[str, list[str]]]:
    """The queries of the Link header by relation."""
    assert all(urlsplit(link["url"]).path == USERS for link in response.links.values())
    return {str(name): parse_qs(urlsplit(link["url"]).query) for name, link in response.links.items()}


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
async def test_links_lead_through_the_pages(calls: httpx.AsyncClient) -> None:
    query = {"page_size": "5", "q": "a", "role": ["x&y", "z"]}

    first = await calls.get(USERS, params={"page_size": 5})
    middle = await calls.get(USERS, params={"page_size": 5, "page": 2})
    last = await calls.get(USERS, params={"page_size": 5, "page": 3})
    filtered = await calls.get(USERS, params=query)

    assert links(first) == {"first": {"page_size": ["5"]}, "next": {"page_size": ["5"], "page": ["2"]}}
    assert set(links(middle)) == {"first", "prev", "next"}
    assert links(middle)["prev"] == {"page_size": ["5"], "page": ["1"]}
    assert set(links(last)) == {"first", "prev"}
    assert links(filtered) == {"first": {"page_size": ["5"], "q": ["a"], "role": ["x&y", "z"]}}
    assert (await calls.get(first.links["next"]["url"])).json() == middle.json()


@pytest.mark.usefixtures("crowd")
@pytest.mark.caller("users:read")
async def test_links_lead_on_by_cursor(calls: httpx.AsyncClient) -> None:
    cursor = (await get(calls, page_size=5))["next_cursor"]

    response = await calls.get(USERS, params={"page_size": 5, "cursor": cursor})

    assert links(response) == {
        "first": {"page_size": ["5"]},
        "next": {"page_size": ["5"], "cursor": [response.json()["next_cursor"]]},
    }


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

"""What GET /users can be narrowed to."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.lib.clock import utc_now
from tests.domain.accounts.answers import USERS, JSONObject, field_errors, is_refused
from tests.support.people import People

NOON = utc_now().replace(hour=12, minute=0, second=0, microsecond=0)


@pytest_asyncio.fixture
async def crew(people: People, calls: httpx.AsyncClient) -> dict[str, str]:
    """Names by id; the caller is not among them."""
    for role in ("captain", "cook", "empty"):
        await people.role(role, ["users:read"] if role == "captain" else [])
    crew: list[tuple[str, JSONObject]] = [
        ("Grace", {"roles": ["captain"], "created_at": NOON - timedelta(days=3)}),
        ("Ada", {"roles": ["captain", "cook"], "is_superuser": True, "created_at": NOON - timedelta(days=2)}),
        ("Olaf", {"roles": ["cook"], "is_active": False, "created_at": NOON - timedelta(days=1)}),
        ("Zoë", {"created_at": NOON, "username": "zo_e", "email": "STRASSE@example.com"}),
    ]
    return {str((await people.create(name=name, **values)).id): name for name, values in crew}


async def found(calls: httpx.AsyncClient, crew: dict[str, str], **query: Any) -> list[str]:
    response = await calls.get(USERS, params={"sort": "created_at", **query})
    assert response.status_code == 200, response.text
    names = [crew[user["id"]] for user in response.json()["items"] if user["id"] in crew]
    assert response.json()["total"] == len(response.json()["items"])
    return names


FILTERED: list[tuple[JSONObject, list[str]]] = [
    ({}, ["Grace", "Ada", "Olaf", "Zoë"]),
    ({"role": "captain"}, ["Grace", "Ada"]),
    ({"role": ["captain", "cook"]}, ["Grace", "Ada", "Olaf"]),
    ({"role": ["cook", "unknown", "cook"]}, ["Ada", "Olaf"]),
    ({"role": "empty"}, []),
    ({"role": "unknown"}, []),
    ({"role": "captain,cook"}, []),
    ({"is_active": "true"}, ["Grace", "Ada", "Zoë"]),
    ({"is_active": "false"}, ["Olaf"]),
    ({"is_superuser": "true"}, ["Ada"]),
    ({"is_superuser": "false"}, ["Grace", "Olaf", "Zoë"]),
    ({"q": "a"}, ["Grace", "Ada", "Olaf", "Zoë"]),
    ({"q": "GRACE"}, ["Grace"]),
    ({"q": "ZOË"}, ["Zoë"]),
    ({"q": "zoe\u0308"}, ["Zoë"]),
    ({"q": "straße@EXAMPLE"}, ["Zoë"]),
    ({"q": "ZO_E"}, ["Zoë"]),
    ({"q": "z__e"}, []),
    ({"q": "%"}, []),
    ({"q": "_"}, ["Zoë"]),
    ({"q": "\\"}, []),
    ({"q": "/"}, []),
    ({"q": "/_"}, []),
    ({"q": "'"}, []),
    ({"role": "captain", "is_superuser": "true"}, ["Ada"]),
    ({"role": ["captain", "cook"], "is_active": "true", "is_superuser": "false"}, ["Grace"]),
    ({"role": "cook", "q": "ol", "is_active": "false", "is_superuser": "false"}, ["Olaf"]),
    ({"role": "cook", "q": "grace"}, []),
    ({"is_active": ["true", "false"]}, ["Grace", "Ada", "Olaf", "Zoë"]),
    ({"is_active": ["false", "0"], "is_superuser": ["true", "false"]}, ["Olaf"]),
]


@pytest.mark.caller("users:read")
async def test_filters_alone_and_together(calls: httpx.AsyncClient, crew: dict[str, str]) -> None:
    for query, names in FILTERED:
        assert (query, await found(calls, crew, **query)) == (query, names)


@pytest.mark.caller("users:read")
async def test_instants_bound_from_the_first_to_before_the_second(
    calls: httpx.AsyncClient, crew: dict[str, str]
) -> None:
    first, second, last = (NOON - timedelta(days=days) for days in (3, 2, 0))

    assert await found(calls, crew, created_after=first.isoformat()) == ["Grace", "Ada", "Olaf", "Zoë"]
    assert await found(calls, crew, created_before=second.isoformat()) == ["Grace"]
    assert await found(calls, crew, created_after=first.isoformat(), created_before=last.isoformat()) == [
        "Grace",
        "Ada",
        "Olaf",
    ]
    assert await found(calls, crew, created_after=last.isoformat(), created_before=first.isoformat()) == []


@pytest.mark.caller("users:read")
async def test_instants_of_any_time_zone_are_compared_as_instants(
    calls: httpx.AsyncClient, crew: dict[str, str]
) -> None:
    just_before_noon = (NOON - timedelta(days=1, seconds=1)).replace(tzinfo=None).isoformat()
    for zone in ("Z", "+00:00", "-00:00"):
        assert await found(calls, crew, created_after=just_before_noon + zone) == ["Olaf", "Zoë"]
    assert await found(calls, crew, created_after=just_before_noon + "-01:00") == ["Zoë"]
    assert await found(calls, crew, created_after=just_before_noon + "+01:00") == ["Olaf", "Zoë"]


@pytest.mark.caller("users:read")
async def test_the_longest_search_that_grows_when_it_is_folded(calls: httpx.AsyncClient, people: People) -> None:
    await people.create(name="ﷺ" * 100)

    response = await calls.get(USERS, params={"q": "ﷺ" * 20})

    assert len(response.json()["items"]) == 1


@pytest.mark.caller("users:read")
async def test_an_unknown_parameter_is_refused_by_its_name(calls: httpx.AsyncClient) -> None:
    response = await calls.get(f"{USERS}?is_verified=1")

    assert is_refused(response, 400, "unknown_parameter")
    assert [each["parameter"] for each in response.json()["errors"]] == ["is_verified"]


@pytest.mark.caller("users:read")
async def test_items_never_hold_a_hash_or_a_hidden_key(calls: httpx.AsyncClient, crew: dict[str, str]) -> None:
    for sort in ("created_at", "email", "name"):
        item = (await calls.get(USERS, params={"sort": sort})).json()["items"][0]
        assert set(item) == {
            "id", "email", "username", "name", "locale", "is_active", "is_verified", "is_superuser", "is_service",
            "roles", "metadata", "created_at", "updated_at", "version",
        }  # fmt: skip


@pytest.mark.caller("users:read")
async def test_all_that_is_wrong_with_the_parameters_is_reported_at_once(calls: httpx.AsyncClient) -> None:
    query = "page=0&page_size=1000&sort=password_hash&created_after=yesterday&is_active=maybe&q=&role=" + "x" * 51

    assert field_errors(await calls.get(f"{USERS}?{query}")) == {
        "page": "too_small",
        "page_size": "too_large",
        "sort": "invalid_choice",
        "created_after": "invalid_format",
        "is_active": "invalid_type",
        "q": "too_short",
        "role": "too_long",
    }
    assert field_errors(await calls.get(f"{USERS}?page=101&page_size=100&sort=nope&q=")) == {
        "page": "too_large",
        "sort": "invalid_choice",
        "q": "too_short",
    }

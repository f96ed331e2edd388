"""Which rooms are listed, and to whom."""

import httpx

from tests.domain.accounts.answers import field_errors
from tests.domain.realtime.steps import ROOMS, Crew, invite, join, make_room, names, private_room


async def test_public_rooms_and_ones_own_are_listed_newest_first(calls: httpx.AsyncClient, crew: Crew) -> None:
    await make_room(calls, "harbour")
    await private_room(calls, "cabin")
    _, other = await crew.add()

    assert await names(calls) == ["cabin", "harbour"]
    assert await names(other) == ["harbour"]
    assert await names(other, visibility="private") == []


async def test_totals_do_not_count_what_is_hidden(calls: httpx.AsyncClient, crew: Crew) -> None:
    for number in range(3):
        await private_room(calls, f"cabin-{number}")
    await make_room(calls, "harbour")
    _, other = await crew.add()

    assert (await other.get(ROOMS)).json()["total"] == 1
    assert (await calls.get(ROOMS)).json()["total"] == 4


async def test_staff_sees_all(calls: httpx.AsyncClient, crew: Crew) -> None:
    await private_room(calls, "cabin")
    _, staffs = await crew.add(permissions=["rooms:read"])

    assert await names(staffs) == ["cabin"]
    assert await names(staffs, mine=True) == []


async def test_filters_narrow_the_list(calls: httpx.AsyncClient, crew: Crew) -> None:
    _, other = await crew.add()
    harbour = await make_room(other, "harbour", title="Wind & waves")
    await make_room(other, "quay", title="50% off")
    cabin = await private_room(calls, "cabin")
    await join(calls, harbour)
    await calls.post(f"{ROOMS}/{cabin['id']}/close")

    assert await names(calls, mine=True) == ["cabin", "harbour"]
    assert await names(calls, closed=True) == ["cabin"]
    assert await names(calls, closed=False) == ["quay", "harbour"]
    assert await names(calls, visibility="private") == ["cabin"]
    assert await names(calls, visibility=["private", "public"], sort="name") == ["cabin", "harbour", "quay"]
    assert await names(calls, q="WAVES") == ["harbour"]
    assert await names(calls, q="%") == ["quay"]
    assert await names(calls, q="nothing of it") == []


async def test_a_copy_follows_what_was_updated(calls: httpx.AsyncClient) -> None:
    first, second = await make_room(calls, "harbour"), await make_room(calls, "quay")
    updated = (await calls.patch(f"{ROOMS}/{first['id']}", json={"title": "Later"})).json()["updated_at"]

    assert await names(calls, sort="-updated_at") == ["harbour", "quay"]
    assert await names(calls, updated_after=updated) == ["harbour"]
    assert await names(calls, updated_before=updated) == ["quay"]
    assert await names(calls, updated_after=second["updated_at"], updated_before=updated) == ["quay"]


async def test_invitations_are_seen_by_who_is_invited(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await private_room(calls)
    friend, friends = await crew.add()
    await invite(calls, room, friend)

    assert await names(friends) == await names(friends, invited=True) == ["cabin"]
    assert await names(calls, invited=True) == []


async def test_an_unknown_order_is_refused(calls: httpx.AsyncClient) -> None:
    assert field_errors(await calls.get(ROOMS, params={"sort": "search_text"})) == {"sort": "invalid_choice"}

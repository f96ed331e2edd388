"""Concurrent changes of rooms."""

import asyncio

import httpx
import pytest
from litestar import Litestar

from app.domain.realtime.models import Room, RoomInvitation, RoomMember
from tests.domain.accounts.answers import ME, rows
from tests.domain.realtime.steps import ROOMS, Crew, invite, join, make_room, members, private_room


async def test_of_many_who_want_a_name_one_gets_it(app: Litestar, crew: Crew) -> None:
    clients = [(await crew.add())[1] for _ in range(5)]
    answers = await asyncio.gather(*(each.post(ROOMS, json={"name": "harbour"}) for each in clients))

    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409]
    assert len(await rows(app, Room)) == len(await rows(app, RoomMember)) == 1


async def test_a_room_is_never_fuller_than_full(
    app: Litestar, calls: httpx.AsyncClient, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.domain.realtime.services.rooms.MAX_MEMBERS", 3)
    room = await make_room(calls)
    clients = [(await crew.add())[1] for _ in range(6)]
    answers = await asyncio.gather(*(join(each, room) for each in clients))

    assert sorted(each.status_code for each in answers) == [200, 200, 409, 409, 409, 409]
    assert len(await rows(app, RoomMember)) == 3


async def test_concurrent_creations_keep_the_limit_of_rooms(
    app: Litestar, calls: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.domain.realtime.services.rooms.MAX_OWNED", 2)
    answers = await asyncio.gather(*(calls.post(ROOMS, json={"name": f"room-{number}"}) for number in range(5)))

    assert sorted(each.status_code for each in answers) == [201, 201, 409, 409, 409]


async def test_an_open_room_has_one_owner_when_members_leave_at_once(
    app: Litestar, calls: httpx.AsyncClient, crew: Crew
) -> None:
    room = await make_room(calls)
    clients = [calls, *[(await crew.add())[1] for _ in range(5)]]
    for each in clients[1:]:
        await join(each, room)
    answers = await asyncio.gather(*(each.post(f"{ROOMS}/{room['id']}/leave") for each in clients[:-1]))

    assert {each.status_code for each in answers} == {200}
    assert list((await members(clients[-1], room)).values()) == ["owner"]
    await clients[-1].post(f"{ROOMS}/{room['id']}/leave")
    [left] = await rows(app, Room)
    assert left.closed_at is not None


async def test_rooms_outlive_people_who_go_at_the_same_moment(
    app: Litestar, calls: httpx.AsyncClient, crew: Crew
) -> None:
    clients = [(await crew.add())[1] for _ in range(3)]
    for number, each in enumerate(clients):
        room = await make_room(each, f"room-{number}")
        for other in (calls, *clients):
            await join(other, room)
    answers = await asyncio.gather(*(each.delete(ME) for each in clients))

    assert {each.status_code for each in answers} == {204}
    [owner_id] = {each.user_id for each in await rows(app, RoomMember)}
    kept = await rows(app, Room)
    assert [(each.owner_id, each.closed_at) for each in kept] == [(owner_id, None)] * 3


async def test_joining_and_being_uninvited_is_one_of_both(app: Litestar, calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await private_room(calls)
    friend, friends = await crew.add()
    await invite(calls, room, friend)
    joined, withdrawn = await asyncio.gather(
        join(friends, room), calls.delete(f"{ROOMS}/{room['id']}/invitations/{friend.id}")
    )

    assert sorted((joined.status_code, withdrawn.status_code)) in ([200, 404], [204, 404])
    assert len(await rows(app, RoomMember)) == (2 if joined.is_success else 1)
    assert await rows(app, RoomInvitation) == []

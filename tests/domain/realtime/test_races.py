"""Concurrent changes of rooms."""

import asyncio
from uuid import UUID

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import select, update

from app.domain.accounts.models import User
from app.domain.realtime.models import Room, RoomInvitation, RoomMember
from tests.domain.accounts.answers import ME, rows
from tests.domain.realtime.steps import ROOMS, Crew, invite, join, make_room, members, private_room
from tests.support.apps import core_of
from tests.support.counting import counted_statements
from tests.support.people import Person
from tests.support.waiting import until


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


async def test_reopening_waits_for_another_that_is_not_committed(
    app: Litestar, caller: Person, calls: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else both would find room for one more."""
    first, second = [await make_room(calls, name) for name in ("harbour", "quay")]
    for room in (first, second):
        assert (await calls.post(f"{ROOMS}/{room['id']}/close")).status_code == 200
    monkeypatch.setattr("app.domain.realtime.services.rooms.MAX_OWNED", 1)
    database = core_of(app).database
    with counted_statements(app) as statements:
        async with database.independent() as other:
            await other.session.execute(select(User.id).where(User.id == caller.id).with_for_update(key_share=True))
            await other.session.execute(update(Room).where(Room.id == UUID(first["id"])).values(closed_at=None))
            statements.clear()
            attempt = asyncio.create_task(calls.post(f"{ROOMS}/{second['id']}/reopen"))
            await until(lambda: attempt.done() or bool(statements) or database.url.is_sqlite)
            await asyncio.wait({attempt}, timeout=0.1)  # who does not wait for the lock is done by then

    assert (await attempt).json()["code"] == "conflict"
    assert len([room for room in await rows(app, Room) if room.closed_at is None]) == 1


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

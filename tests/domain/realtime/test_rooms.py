"""How rooms come, change and close."""

from uuid import uuid4

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import update

from app.domain.realtime.models import Room
from app.lib.db.instants import database_now_plus
from app.lib.realtime.service import Realtime
from app.lib.realtime.tables import RealtimeEvent
from tests.domain.accounts.answers import audited, field_errors, is_refused, rows
from tests.domain.realtime.steps import (
    ROOMS,
    Crew,
    channel_of,
    invite,
    join,
    make_room,
    members,
    names,
    private_room,
    run_queued,
)
from tests.support.apps import core_of
from tests.support.people import Person
from tests.support.sockets import connected


async def test_the_creator_of_a_room_owns_it(calls: httpx.AsyncClient, caller: Person) -> None:
    response = await calls.post(ROOMS, json={"name": "harbour", "title": "At the harbour"})
    room = response.json()

    assert response.status_code == 201
    assert response.headers["location"] == f"{ROOMS}/{room['id']}"
    assert response.headers["etag"] == '"1"'
    assert room == {
        "id": room["id"],
        "name": "harbour",
        "title": "At the harbour",
        "visibility": "public",
        "owner_id": str(caller.id),
        "closed_at": None,
        "created_at": room["created_at"],
        "updated_at": room["created_at"],
        "version": 1,
    }
    assert await members(calls, room) == {str(caller.id): "owner"}


async def test_a_room_is_known_by_its_id(calls: httpx.AsyncClient) -> None:
    room = await make_room(calls)

    assert (await calls.get(f"{ROOMS}/{room['id']}")).json() == room
    assert is_refused(await calls.get(f"{ROOMS}/{uuid4()}"), 404, "not_found")
    assert is_refused(await calls.get(f"{ROOMS}/harbour"), 404, "not_found")


async def test_a_room_that_was_seen_is_not_sent_again(calls: httpx.AsyncClient) -> None:
    room = await make_room(calls)
    seen = await calls.get(f"{ROOMS}/{room['id']}", headers={"If-None-Match": '"1"'})

    assert seen.status_code == 304


async def test_what_is_no_room_is_refused(calls: httpx.AsyncClient) -> None:
    for body, errors in [
        ({}, {"/name": "required"}),
        ({"name": "Harbour"}, {"/name": "invalid_format"}),
        ({"name": "-harbour"}, {"/name": "invalid_format"}),
        ({"name": "harbour\n"}, {"/name": "invalid_format"}),
        ({"name": "h" * 65}, {"/name": "too_long"}),
        ({"name": "harbour", "title": " "}, {"/title": "invalid_format"}),
        ({"name": "harbour", "visibility": "secret"}, {"/visibility": "invalid_choice"}),
        ({"name": "harbour", "owner_id": "me"}, {"/owner_id": "unknown_field"}),
    ]:
        assert field_errors(await calls.post(ROOMS, json=body)) == errors


async def test_no_two_open_public_rooms_have_one_name(calls: httpx.AsyncClient, crew: Crew) -> None:
    first = await make_room(calls, "harbour")
    _, other = await crew.add()
    quay = await make_room(other, "quay")
    taken = [{"pointer": "/name", "code": "not_unique", "detail": "Is taken."}]
    for refused in (
        await other.post(ROOMS, json={"name": "harbour"}),
        await other.patch(f"{ROOMS}/{quay['id']}", json={"name": "harbour"}),
    ):
        assert is_refused(refused, 409, "duplicate")
        assert refused.json()["errors"] == taken
    assert (await calls.post(f"{ROOMS}/{first['id']}/close")).status_code == 200
    second = await make_room(other, "harbour")

    assert [room["id"] for room in (await calls.get(ROOMS, params={"name": "harbour"})).json()["items"]] == [
        second["id"],
        first["id"],
    ]


@pytest.mark.asvs("8.2.2")
async def test_names_of_private_rooms_do_not_clash(calls: httpx.AsyncClient, crew: Crew) -> None:
    hidden = await private_room(calls, "harbour")
    _, other = await crew.add()
    public = await make_room(other, "harbour")
    own = await private_room(other, "harbour")

    assert len({hidden["id"], public["id"], own["id"]}) == 3
    assert await names(other, name="harbour") == ["harbour", "harbour"]
    assert (await other.get(ROOMS, params={"name": "harbour"})).json()["total"] == 2


async def test_a_private_room_becomes_public_when_its_name_is_free(calls: httpx.AsyncClient, crew: Crew) -> None:
    hidden = await private_room(calls, "harbour")
    _, other = await crew.add()
    public = await make_room(other, "harbour")
    url = f"{ROOMS}/{hidden['id']}"
    assert is_refused(await calls.patch(url, json={"visibility": "public"}), 409, "duplicate")
    assert (await calls.get(url)).json() == hidden

    renamed = await calls.patch(url, json={"visibility": "public", "name": "pier"})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "pier")
    assert await names(other, q="pier") == ["pier"]
    assert (await other.patch(f"{ROOMS}/{public['id']}", json={"visibility": "private"})).status_code == 200
    assert (await calls.patch(url, json={"name": "harbour"})).status_code == 200
    assert is_refused(await other.patch(f"{ROOMS}/{public['id']}", json={"visibility": "public"}), 409, "duplicate")


async def test_a_creation_that_is_repeated_with_its_key_makes_one_room(calls: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "once-and-no-more"}
    first = await calls.post(ROOMS, json={"name": "harbour"}, headers=headers)
    again = await calls.post(ROOMS, json={"name": "harbour"}, headers=headers)

    assert first.status_code == again.status_code == 201
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()


async def test_there_is_an_end_to_the_rooms_of_one_owner(
    calls: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.domain.realtime.services.rooms.MAX_OWNED", 2)
    first = await make_room(calls, "one")
    await make_room(calls, "two")
    assert is_refused(await calls.post(ROOMS, json={"name": "three"}), 409, "conflict")

    await calls.post(f"{ROOMS}/{first['id']}/close")
    await make_room(calls, "three")


async def test_there_is_an_end_to_the_rooms_that_one_creates_in_a_day(
    calls: httpx.AsyncClient, app: Litestar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.domain.realtime.services.rooms.MAX_CREATED", 2)
    for name in ("one", "two"):
        room = await make_room(calls, name)
        await calls.post(f"{ROOMS}/{room['id']}/leave")
    refused = await calls.post(ROOMS, json={"name": "three"})
    assert is_refused(refused, 429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0

    async with core_of(app).database.independent() as unit:
        await unit.session.execute(update(Room).values(created_at=database_now_plus(-86_401)))
    await make_room(calls, "three")


async def test_a_patch_changes_what_it_names(calls: httpx.AsyncClient) -> None:
    room = await make_room(calls, title="Before")
    url = f"{ROOMS}/{room['id']}"
    nothing = await calls.patch(url, json={})
    changed = await calls.patch(url, json={"title": None, "visibility": "private"})

    assert (nothing.status_code, nothing.json()) == (200, room)
    assert changed.json() == room | {
        "title": None,
        "visibility": "private",
        "version": 2,
        "updated_at": changed.json()["updated_at"],
    }
    assert changed.headers["etag"] == '"2"'
    assert (await calls.get(url)).json() == changed.json()


async def test_a_change_that_is_meant_for_another_version_is_refused(calls: httpx.AsyncClient) -> None:
    room = await make_room(calls)
    url, headers = f"{ROOMS}/{room['id']}", {"If-Match": '"7"'}
    for verb in ["patch", "close"]:
        if verb == "patch":
            refused = await calls.patch(url, json={"title": "Later"}, headers=headers)
        else:
            refused = await calls.post(f"{url}/close", headers=headers)

        assert is_refused(refused, 412, "precondition_failed")
        assert (await calls.get(url)).json() == room


async def test_a_closed_room_stays_closed(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await make_room(calls)
    url = f"{ROOMS}/{room['id']}"
    closed = await calls.post(f"{url}/close")
    again = await calls.post(f"{url}/close")
    friend, other = await crew.add()

    assert closed.status_code == again.status_code == 200
    assert closed.json()["closed_at"] is not None
    assert (closed.json()["version"], again.json()) == (2, closed.json())
    assert is_refused(await calls.patch(url, json={"title": "Open"}), 409, "invalid_state")
    assert is_refused(await join(other, room), 409, "invalid_state")
    assert is_refused(await invite(calls, room, friend), 409, "invalid_state")


async def test_a_room_is_reopened_when_its_name_is_free(
    calls: httpx.AsyncClient, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await make_room(calls)
    url = f"{ROOMS}/{room['id']}"
    await calls.post(f"{url}/close")
    _, other = await crew.add()
    taker = await make_room(other)
    assert is_refused(await calls.post(f"{url}/reopen"), 409, "duplicate")
    assert is_refused(await other.post(f"{url}/reopen"), 403, "permission_denied")
    await other.delete(f"{ROOMS}/{taker['id']}")
    assert is_refused(await calls.post(f"{url}/reopen", headers={"If-Match": '"1"'}), 412, "precondition_failed")
    monkeypatch.setattr("app.domain.realtime.services.rooms.MAX_OWNED", 0)
    assert is_refused(await calls.post(f"{url}/reopen"), 409, "conflict")
    monkeypatch.undo()
    reopened = await calls.post(f"{url}/reopen")

    assert (reopened.status_code, reopened.json()["closed_at"], reopened.json()["version"]) == (200, None, 3)
    assert (await calls.post(f"{url}/reopen")).json() == reopened.json()
    assert (await join(other, room)).status_code == 200


async def test_a_room_that_all_have_left_stays_closed(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await make_room(calls)
    _, staffs = await crew.add(permissions=["rooms:write"])
    await calls.post(f"{ROOMS}/{room['id']}/leave")

    assert is_refused(await staffs.post(f"{ROOMS}/{room['id']}/reopen"), 409, "invalid_state")


async def test_a_room_is_deleted_once_with_its_messages(app: Litestar, calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await make_room(calls)
    url = f"{ROOMS}/{room['id']}"
    friend, friends = await crew.add()
    await join(friends, room)
    assert is_refused(await friends.delete(url), 403, "permission_denied")
    assert is_refused(await calls.delete(url, headers={"If-Match": '"7"'}), 412, "precondition_failed")
    async with connected(app, token=friend.access_token) as socket:
        await socket.subscribe(channel_of(room))
        assert (await calls.delete(url)).status_code == 204
        last = await socket.receive()
        assert (last["event"], last["data"]["room_id"]) == ("room.deleted", room["id"])
        ended = await socket.receive()
        assert (ended["type"], ended["reason"]) == ("unsubscribed", "not_found")
        assert (await socket.subscribe(channel_of(room)))["code"] == "not_found"
    for method, path in [("DELETE", ""), ("GET", ""), ("GET", "/messages"), ("POST", "/join"), ("POST", "/reopen")]:
        assert is_refused(await calls.request(method, f"{url}{path}"), 404, "not_found")
    await run_queued(app)
    assert all(row.expires_at for row in await rows(app, RealtimeEvent))
    async with core_of(app).database.independent() as unit:
        await unit.session.execute(update(RealtimeEvent).values(expires_at=database_now_plus(-1)))
        await core_of(app).services.get(Realtime).trim(unit)

    assert await rows(app, RealtimeEvent) == []
    assert await audited(app, "room.deleted") == []


async def test_only_the_owner_changes_a_room(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await make_room(calls)
    url = f"{ROOMS}/{room['id']}"
    _, other = await crew.add()
    await join(other, room)

    assert is_refused(await other.patch(url, json={"title": "Mine"}), 403, "permission_denied")
    assert is_refused(await other.post(f"{url}/close"), 403, "permission_denied")
    assert is_refused(await other.get(f"{url}/invitations"), 403, "permission_denied")
    assert (await calls.get(url)).json() == room


async def test_staff_changes_closes_and_deletes_every_room_and_is_audited(
    calls: httpx.AsyncClient, crew: Crew, app: Litestar
) -> None:
    room = await private_room(calls)
    url = f"{ROOMS}/{room['id']}"
    staff, staffs = await crew.add(permissions=["rooms:write"])
    changed = await staffs.patch(url, json={"title": "Kept in order"})
    closed = await staffs.post(f"{url}/close")
    reopened = await staffs.post(f"{url}/reopen")
    deleted = await staffs.delete(url)

    assert [each.status_code for each in (changed, closed, reopened, deleted)] == [200, 200, 200, 204]
    for kind in ("room.updated", "room.closed", "room.reopened", "room.deleted"):
        [entry] = await audited(app, kind)
        assert (entry.actor_id, str(entry.subject_id)) == (staff.id, room["id"])


async def test_what_owners_do_is_their_own_business(calls: httpx.AsyncClient, app: Litestar) -> None:
    room = await make_room(calls)
    await calls.patch(f"{ROOMS}/{room['id']}", json={"title": "Mine"})
    await calls.post(f"{ROOMS}/{room['id']}/close")

    assert await audited(app, "room.updated") == await audited(app, "room.closed") == []


@pytest.mark.asvs("8.2.2")
async def test_who_is_not_invited_does_not_learn_of_a_private_room(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await private_room(calls)
    _, other = await crew.add()
    for method, path, body in [
        ("GET", "", None),
        ("PATCH", "", {"title": "Found"}),
        ("DELETE", "", None),
        ("POST", "/close", None),
        ("POST", "/reopen", None),
        ("POST", "/join", None),
        ("POST", "/leave", None),
        ("GET", "/members", None),
        ("GET", "/messages", None),
        ("GET", "/invitations", None),
        ("POST", "/invitations", {"user_id": "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b"}),
        ("DELETE", "/members/0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b", None),
        ("DELETE", "/invitations/0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b", None),
    ]:
        there = await other.request(method, f"{ROOMS}/{room['id']}{path}", json=body)
        nowhere = await other.request(method, f"{ROOMS}/{uuid4()}{path}", json=body)
        assert is_refused(there, 404, "not_found")
        assert there.json()["detail"] == nowhere.json()["detail"]
        assert (await calls.get(f"{ROOMS}/{room['id']}")).json() == room

"""How people come into rooms, and how they go."""

from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from app.domain.realtime.models import RoomMember
from tests.domain.accounts.answers import ME, audited, field_errors, is_refused, rows
from tests.domain.realtime.steps import ROOMS, Crew, invite, join, make_room, members, names, private_room
from tests.support.apps import Deployment
from tests.support.people import PASSWORD, People, Person


async def test_anybody_joins_a_public_room(calls: httpx.AsyncClient, caller: Person, crew: Crew) -> None:
    room = await make_room(calls)
    other, others = await crew.add(name="Grace Hopper")
    joined = await join(others, room)
    again = await join(others, room)

    assert (joined.status_code, again.status_code) == (200, 200)
    assert joined.json() == again.json() == room
    assert await members(others, room) == {str(caller.id): "owner", str(other.id): "member"}


async def test_members_are_shown_by_their_public_names(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await make_room(calls)
    for name in ("Grace Hopper", None):
        _, other = await crew.add(name=name)
        await join(other, room)
    gone, goners = await crew.add(name="Alan Turing")
    await join(goners, room)
    _, boss = await crew.add(is_superuser=True)
    assert (await boss.post(f"/api/v1/users/{gone.id}/deactivate")).status_code == 200
    shown = (await calls.get(f"{ROOMS}/{room['id']}/members")).json()["items"]

    assert [item["user"]["name"] for item in shown] == [None, "Grace Hopper", None, None]
    assert "example.com" not in str(shown)


async def test_a_private_room_is_joined_by_invitation(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await private_room(calls)
    friend, friends = await crew.add(name="Grace Hopper")
    assert is_refused(await join(friends, room), 404, "not_found")
    invited = await invite(calls, room, friend)

    assert invited.status_code == 201
    assert invited.headers["location"] == f"{ROOMS}/{room['id']}/invitations"
    assert invited.json()["user"] == {
        "id": str(friend.id),
        "username": None,
        "name": "Grace Hopper",
        "avatar_url": None,
    }
    assert (await friends.get(f"{ROOMS}/{room['id']}")).json() == room
    assert await names(friends, invited=True) == ["cabin"]
    assert is_refused(await friends.get(f"{ROOMS}/{room['id']}/members"), 403, "permission_denied")
    assert is_refused(await friends.get(f"{ROOMS}/{room['id']}/messages"), 403, "permission_denied")

    assert (await join(friends, room)).status_code == 200
    assert (await calls.get(f"{ROOMS}/{room['id']}/invitations")).json()["items"] == []
    assert await names(friends, invited=True) == []
    assert await names(friends, mine=True) == ["cabin"]


async def test_an_active_user_is_invited_once(calls: httpx.AsyncClient, caller: Person, crew: Crew) -> None:
    room = await private_room(calls)
    friend, _ = await crew.add()
    banned, _ = await crew.add(is_active=False)
    url = f"{ROOMS}/{room['id']}/invitations"
    await invite(calls, room, friend)

    assert is_refused(await invite(calls, room, friend), 409, "duplicate")
    assert is_refused(await invite(calls, room, caller), 409, "conflict")
    assert field_errors(await invite(calls, room, banned)) == {"/user_id": "not_found"}
    for body, errors in [
        ({"user_id": str(uuid4())}, {"/user_id": "not_found"}),
        ({"username": "grace"}, {"/username": "not_found"}),
        ({}, {"": "invalid_choice"}),
        ({"user_id": str(friend.id), "username": "grace"}, {"": "invalid_choice"}),
        ({"username": "a" * 33}, {"/username": "too_long"}),
    ]:
        assert field_errors(await calls.post(url, json=body)) == errors
    listed = (await calls.get(url)).json()["items"]
    assert [(item["user"]["id"], item["invited_by"]["id"]) for item in listed] == [(str(friend.id), str(caller.id))]


async def test_a_user_is_invited_by_their_username(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await private_room(calls)
    url = f"{ROOMS}/{room['id']}/invitations"
    friend, friends = await crew.add(username="Grace")
    await crew.add(username="banned", is_active=False)
    invited = await calls.post(url, json={"username": "gRACE"})

    assert (invited.status_code, invited.json()["user"]["id"]) == (201, str(friend.id))
    assert field_errors(await calls.post(url, json={"username": "banned"})) == {"/username": "not_found"}
    assert (await join(friends, room)).status_code == 200
    assert is_refused(await friends.post(url, json={"username": "grace"}), 403, "permission_denied")


@pytest.mark.asvs("6.3.8")
async def test_who_can_be_invited_does_not_show_which_address_was_free(deployment: Deployment) -> None:
    app = await deployment.start(REQUIRE_VERIFIED_EMAIL="true")
    people = People(app)
    person = await people.create(email="ada@example.com")
    async with people.client() as anonymous, people.client(person) as calls:
        for email, username in (("ada@example.com", "amazed"), ("eve@example.com", "amazing")):
            user = {"email": email, "username": username, "password": PASSWORD}
            assert (await anonymous.post("/api/v1/auth/register", json=user)).status_code == 202
        url = f"{ROOMS}/{(await private_room(calls))['id']}/invitations"
        for username in ("amazed", "amazing"):
            assert field_errors(await calls.post(url, json={"username": username})) == {"/username": "not_found"}


async def test_an_invitation_is_withdrawn_or_declined(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await private_room(calls)
    url = f"{ROOMS}/{room['id']}/invitations"
    friend, friends = await crew.add()
    for who in (calls, friends):
        await invite(calls, room, friend)
        assert (await who.delete(f"{url}/{friend.id}")).status_code == 204
        assert is_refused(await join(friends, room), 404, "not_found")
    assert is_refused(await calls.delete(f"{url}/{friend.id}"), 404, "not_found")


async def test_only_the_owner_invites(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await make_room(calls)
    _, member = await crew.add()
    await join(member, room)
    friend, _ = await crew.add()

    assert is_refused(await invite(member, room, friend), 403, "permission_denied")


async def test_a_user_who_leaves_is_no_longer_a_member(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await private_room(calls)
    friend, friends = await crew.add()
    await invite(calls, room, friend)
    await join(friends, room)
    left = await friends.post(f"{ROOMS}/{room['id']}/leave")

    assert (left.status_code, left.json()) == (200, room)
    assert is_refused(await friends.post(f"{ROOMS}/{room['id']}/leave"), 404, "not_found")
    assert is_refused(await join(friends, room), 404, "not_found")
    assert str(friend.id) not in await members(calls, room)


async def test_an_owner_who_leaves_hands_the_room_to_its_oldest_member(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await make_room(calls)
    first, firsts = await crew.add()
    second, seconds = await crew.add()
    await join(firsts, room)
    await join(seconds, room)
    await calls.post(f"{ROOMS}/{room['id']}/leave")
    now = (await calls.get(f"{ROOMS}/{room['id']}")).json()

    assert (now["owner_id"], now["closed_at"], now["version"]) == (str(first.id), None, 2)
    assert await members(firsts, room) == {str(first.id): "owner", str(second.id): "member"}


async def test_a_room_is_closed_when_the_last_one_leaves(calls: httpx.AsyncClient) -> None:
    room = await make_room(calls)
    await calls.post(f"{ROOMS}/{room['id']}/leave")
    left = (await calls.get(f"{ROOMS}/{room['id']}")).json()

    assert left["owner_id"] is None
    assert left["closed_at"] is not None


async def test_the_last_one_who_leaves_a_closed_room_makes_another_version_of_it(calls: httpx.AsyncClient) -> None:
    room = await make_room(calls)
    seen = await calls.post(f"{ROOMS}/{room['id']}/close")
    await calls.post(f"{ROOMS}/{room['id']}/leave")
    left = await calls.get(f"{ROOMS}/{room['id']}", headers={"If-None-Match": seen.headers["ETag"]})

    assert left.status_code == 200
    assert (left.json()["owner_id"], left.json()["closed_at"]) == (None, seen.json()["closed_at"])


async def test_only_the_owner_removes_members(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await make_room(calls)
    first, firsts = await crew.add()
    second, seconds = await crew.add()
    await join(firsts, room)
    await join(seconds, room)
    url = f"{ROOMS}/{room['id']}/members"

    assert is_refused(await firsts.delete(f"{url}/{second.id}"), 403, "permission_denied")
    assert (await calls.delete(f"{url}/{second.id}")).status_code == 204
    assert is_refused(await calls.delete(f"{url}/{second.id}"), 404, "not_found")
    assert (await firsts.delete(f"{url}/{first.id}")).status_code == 204
    assert list((await members(calls, room)).values()) == ["owner"]


async def test_staff_removes_an_owner_and_is_audited(
    calls: httpx.AsyncClient, caller: Person, crew: Crew, app: Litestar
) -> None:
    room = await private_room(calls)
    friend, friends = await crew.add()
    await invite(calls, room, friend)
    await join(friends, room)
    staff, staffs = await crew.add(permissions=["rooms:write"])
    await invite(calls, room, staff)
    await join(staffs, room)

    assert (await staffs.delete(f"{ROOMS}/{room['id']}/members/{caller.id}")).status_code == 204
    assert await members(friends, room) == {str(friend.id): "owner", str(staff.id): "member"}
    [entry] = await audited(app, "room.member_removed")
    assert (entry.actor_id, entry.subject_id, entry.details) == (staff.id, caller.id, {"room_id": room["id"]})


async def test_staff_sees_private_rooms_but_is_not_in_them(calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await private_room(calls)
    _, staffs = await crew.add(permissions=["rooms:read"])

    assert (await staffs.get(f"{ROOMS}/{room['id']}")).json() == room
    assert len(await members(staffs, room)) == 1
    assert (await staffs.get(f"{ROOMS}/{room['id']}/messages")).status_code == 200
    assert is_refused(await join(staffs, room), 403, "permission_denied")
    assert is_refused(await staffs.patch(f"{ROOMS}/{room['id']}", json={"title": "No"}), 403, "permission_denied")


async def test_a_room_is_full_at_some_point(
    calls: httpx.AsyncClient, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.domain.realtime.services.rooms.MAX_MEMBERS", 2)
    room = await make_room(calls)
    _, second = await crew.add()
    _, third = await crew.add()

    assert (await join(second, room)).status_code == 200
    assert is_refused(await join(third, room), 409, "conflict")


async def test_deleting_an_account_leaves_its_rooms(
    calls: httpx.AsyncClient, caller: Person, crew: Crew, app: Litestar
) -> None:
    alone = await make_room(calls, "alone")
    shared = await make_room(calls, "shared")
    heir, heirs = await crew.add()
    theirs = await make_room(heirs, "theirs")
    await join(heirs, shared)
    await join(calls, theirs)
    assert (await calls.delete(ME)).status_code == 204

    assert (await heirs.get(f"{ROOMS}/{alone['id']}")).json()["closed_at"] is not None
    assert await members(heirs, shared) == await members(heirs, theirs) == {str(heir.id): "owner"}
    assert {row.user_id for row in await rows(app, RoomMember)} == {heir.id}

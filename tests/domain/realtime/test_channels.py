"""What sockets may do, on which channels, and for how long."""

from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.domain.realtime.steps import ROOMS, Crew, channel_of, invite, join, make_room, private_room
from tests.support.people import People, Person
from tests.support.sockets import Frame, Refused, connected

ABSENT = "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b"


async def test_members_hear_what_members_say(
    app: Litestar, calls: httpx.AsyncClient, caller: Person, crew: Crew
) -> None:
    room = await make_room(calls)
    other, others = await crew.add(name="Grace Hopper")
    await join(others, room)
    async with (
        connected(app, token=caller.access_token) as one,
        connected(app, token=other.access_token) as two,
    ):
        assert (await one.subscribe(channel_of(room)))["type"] == "subscribed"
        answer = await two.subscribe(channel_of(room))
        assert {member["id"] for member in answer["presence"]} == {str(caller.id), str(other.id)}
        assert await one.receive() == {
            "type": "presence",
            "channel": channel_of(room),
            "join": [{"id": str(other.id), "username": None, "name": "Grace Hopper", "avatar_url": None}],
            "leave": [],
        }
        await two.send(type="publish", channel=channel_of(room), data={"text": "Ahoy"}, ref="1")
        assert (await two.receive())["type"] == "ack"
        heard = await one.receive()
        assert heard == await two.receive()

    assert heard == {
        "type": "event",
        "channel": channel_of(room),
        "id": heard["id"],
        "event": "message",
        "data": {"text": "Ahoy"},
        "sent_at": heard["sent_at"],
        "sender_id": str(other.id),
    }
    [kept, *_] = (await calls.get(f"{ROOMS}/{room['id']}/messages")).json()["items"]
    assert kept == {
        "id": heard["id"],
        "event": "message",
        "data": {"text": "Ahoy"},
        "sender": {"id": str(other.id), "username": None, "name": "Grace Hopper", "avatar_url": None},
        "sent_at": heard["sent_at"],
        "edited_at": None,
        "version": 1,
    }


REFUSED_CHANNELS = {
    f"room:{ABSENT}": "not_found",
    "room:harbour": "not_found",
    "room": "not_found",
    f"user:{ABSENT}": "forbidden",
    "user:me": "not_found",
    f"orders:{ABSENT}": "not_found",
    f"orders:{ABSENT.upper()}": "not_found",
    "orders:1": "not_found",
    "posts:all": "not_found",
    "presence": "not_found",
    "lobby": "not_found",
    "nonsense": "not_found",
    "no channel": "invalid_channel",
}


@pytest.mark.asvs("8.2.2")
async def test_a_private_room_of_others_looks_like_none(app: Litestar, calls: httpx.AsyncClient, crew: Crew) -> None:
    private, nowhere = channel_of(await private_room(calls)), f"room:{ABSENT}"
    other, _ = await crew.add()

    async def answers(channel: str) -> list[Frame]:
        async with connected(app, token=other.access_token) as socket:
            for frame in (
                {"type": "subscribe", "since": 0},
                {"type": "publish", "data": 1},
                {"type": "publish", "data": 1, "event": "room.left"},
                {"type": "unsubscribe"},
            ):
                await socket.send(channel=channel, **frame)
            found = [await socket.receive() for _ in range(4)]
        assert {each.pop("channel") for each in found} == {channel}
        return found

    assert await answers(private) == await answers(nowhere)


@pytest.mark.asvs("8.2.2")
async def test_channels_of_others_can_neither_be_read_nor_written(
    app: Litestar, calls: httpx.AsyncClient, crew: Crew
) -> None:
    public, private = channel_of(await make_room(calls)), channel_of(await private_room(calls))
    expected = {public: "forbidden", private: "not_found", public.upper(): "invalid_channel", **REFUSED_CHANNELS}
    other, _ = await crew.add()
    subscribed: dict[str, str] = {}
    published: dict[str, str] = {}
    for channel in expected:
        async with connected(app, token=other.access_token) as socket:
            answer = await socket.subscribe(channel)
            assert answer["retryable"] is False
            subscribed[channel] = answer["code"]
            await socket.send(type="publish", channel=channel, data={})
            published[channel] = (await socket.receive())["code"]

    assert subscribed == published == expected


async def test_only_the_service_publishes_elsewhere(app: Litestar, caller: Person) -> None:
    for channel in ["posts", "presence:deck", "user"]:
        name = f"user:{caller.id}" if channel == "user" else channel
        async with connected(app, token=caller.access_token) as socket:
            assert (await socket.subscribe(name))["type"] == "subscribed"
            await socket.send(type="publish", channel=name, data={}, ref="x")
            refused = await socket.receive()

        assert (refused["code"], refused["ref"], refused["channel"]) == ("forbidden", "x", name)


async def test_only_the_service_publishes_its_events(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    room = await make_room(calls)
    for event in ["room.closed", "order.paid", "post.published"]:
        async with connected(app, token=caller.access_token) as socket:
            await socket.send(type="publish", channel=channel_of(room), event=event, data={})
            assert (await socket.receive())["code"] == "forbidden"


async def test_staff_does_not_listen_in(app: Litestar, calls: httpx.AsyncClient, crew: Crew) -> None:
    room = await private_room(calls)
    staff, _ = await crew.add(permissions=["rooms:read", "rooms:write"])
    async with connected(app, token=staff.access_token) as socket:
        assert (await socket.subscribe(channel_of(room)))["code"] == "forbidden"


async def test_presence_is_for_everybody(app: Litestar, caller: Person, crew: Crew) -> None:
    """In the shape in which people are shown over REST."""
    other, others = await crew.add(name="Grace Hopper")
    await others.patch("/api/v1/users/me", json={"username": "grace"})
    await others.patch("/api/v1/users/me/profile", json={"avatar_url": "https://images.example.com/grace.png"})
    profile = (await others.get(f"/api/v1/profiles/{other.id}")).json()
    async with connected(app, token=caller.access_token) as one:
        await one.subscribe("presence:deck")
        async with connected(app, token=other.access_token) as two:
            await two.subscribe("presence:deck")
            came = await one.receive()
        went = await one.receive()

    grace = [{each: profile[each] for each in ("id", "username", "name", "avatar_url")}]
    assert None not in grace[0].values()
    assert (came["join"], came["leave"]) == (grace, [])
    assert (went["join"], went["leave"]) == ([], grace)


async def test_who_is_removed_from_a_room_hears_nothing_more(
    app: Litestar, calls: httpx.AsyncClient, crew: Crew
) -> None:
    room = await private_room(calls)
    friend, friends = await crew.add()
    await invite(calls, room, friend)
    await join(friends, room)
    async with connected(app, token=friend.access_token) as socket:
        await socket.subscribe(channel_of(room))
        assert (await calls.delete(f"{ROOMS}/{room['id']}/members/{friend.id}")).status_code == 204
        event = await socket.receive()
        if event["type"] == "event":  # of their own removal, if they are still there
            event = await socket.receive()
        await socket.send(type="publish", channel=channel_of(room), data={})
        refused = await socket.receive()

    assert event == {"type": "unsubscribed", "channel": channel_of(room), "ref": None, "reason": "not_found"}
    assert refused["code"] == "not_found"


async def test_a_closed_room_says_so_and_takes_nothing_more(
    app: Litestar, calls: httpx.AsyncClient, caller: Person
) -> None:
    room = await make_room(calls)
    async with connected(app, token=caller.access_token) as socket:
        await socket.subscribe(channel_of(room))
        await calls.post(f"{ROOMS}/{room['id']}/close")
        event = await socket.receive()
        await socket.send(type="publish", channel=channel_of(room), data={})
        refused = await socket.receive()

    assert (event["event"], event["sender_id"]) == ("room.closed", None)
    assert event["data"] == {"room_id": room["id"], "name": "harbour", "version": 2}
    assert refused["code"] == "closed"
    async with connected(app, token=caller.access_token) as socket:
        assert (await socket.subscribe(channel_of(room), since=0))["missed"] == event["id"]


async def test_a_room_hears_who_comes_and_goes_and_what_becomes_of_it(
    app: Litestar, calls: httpx.AsyncClient, caller: Person, crew: Crew
) -> None:
    room = await make_room(calls)
    other, others = await crew.add()
    async with connected(app, token=caller.access_token) as socket:
        await socket.subscribe(channel_of(room))
        await join(others, room)
        await calls.patch(f"{ROOMS}/{room['id']}", json={"title": "At the harbour"})
        await others.post(f"{ROOMS}/{room['id']}/leave")
        received = [await socket.receive() for _ in range(3)]

    assert [(each["event"], each["data"].get("user_id"), each["data"]["version"]) for each in received] == [
        ("room.joined", str(other.id), 1),
        ("room.updated", None, 2),
        ("room.left", str(other.id), 2),
    ]


async def test_an_invited_user_gets_an_event_on_their_own_channel(
    app: Litestar, calls: httpx.AsyncClient, caller: Person, crew: Crew
) -> None:
    room = await private_room(calls)
    friend, _ = await crew.add()
    async with connected(app, token=friend.access_token) as socket:
        await socket.subscribe(f"user:{friend.id}")
        await invite(calls, room, friend)
        event = await socket.receive()

    assert event["event"] == "room.invited"
    assert event["data"] == {
        "room_id": room["id"],
        "name": "cabin",
        "version": 1,
        "user_id": str(friend.id),
        "invited_by_id": str(caller.id),
    }


async def test_a_refused_change_publishes_nothing(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    room = await make_room(calls)
    async with connected(app, token=caller.access_token) as socket:
        await socket.subscribe(channel_of(room))
        refused = await calls.post(f"{ROOMS}/{room['id']}/close", headers={"If-Match": '"9"'})
        assert refused.status_code == 412
        assert await socket.is_quiet()


@pytest.mark.parametrize("end", ["sign out", "ban", "delete"])
@pytest.mark.asvs("7.4.1", "7.4.2")
async def test_the_sockets_of_a_session_end_with_it(
    app: Litestar, calls: httpx.AsyncClient, caller: Person, people: People, crew: Crew, end: str
) -> None:
    _, boss = await crew.add(is_superuser=True)
    async with (
        connected(app, token=caller.access_token) as socket,
        connected(app, "/ws/ada", token=caller.access_token) as lobby,
    ):
        acts: dict[str, Any] = {
            "sign out": lambda: calls.post("/api/v1/auth/logout"),
            "ban": lambda: boss.post(f"/api/v1/users/{caller.id}/deactivate"),
            "delete": lambda: boss.delete(f"/api/v1/users/{caller.id}"),
        }
        assert (await acts[end]()).is_success
        assert await socket.until_closed() == await lobby.until_closed() == 4401


async def test_another_session_of_the_same_person_goes_on(
    app: Litestar, calls: httpx.AsyncClient, caller: Person, people: People
) -> None:
    other = await people.sign_in(caller.id, caller.email)
    async with connected(app, token=other.access_token) as socket:
        assert (await calls.post("/api/v1/auth/logout")).status_code == 204
        await socket.subscribe("posts")
        assert await socket.is_quiet(1.2)


async def test_a_permission_that_is_taken_away_ends_what_it_allowed(app: Litestar, people: People, crew: Crew) -> None:
    role_id = await people.role("sees-orders", ["orders:read"])
    staff, _ = await crew.add(roles=["sees-orders"])
    customer, customers = await crew.add()
    _, boss = await crew.add(is_superuser=True)
    product = (
        await boss.post(
            "/api/v1/products",
            json={"sku": "S-1", "name": "Sail", "price": {"amount": "9.00", "currency": "EUR"}, "stock": 5},
        )
    ).json()
    order = (
        await customers.post("/api/v1/orders", json={"items": [{"product_id": product["id"], "quantity": 1}]})
    ).json()
    channel = f"orders:{order['id']}"
    async with (
        connected(app, token=staff.access_token) as theirs,
        connected(app, token=customer.access_token) as own,
    ):
        assert (await theirs.subscribe(channel))["type"] == "subscribed"
        assert (await own.subscribe(channel))["type"] == "subscribed"
        assert (await boss.patch(f"/api/v1/roles/{role_id}", json={"permissions": []})).status_code == 200
        ended = await theirs.receive()
        assert await own.is_quiet()

    assert (ended["type"], ended["reason"]) == ("unsubscribed", "not_found")


async def test_a_new_token_keeps_a_socket_beyond_its_session(
    app: Litestar, calls: httpx.AsyncClient, caller: Person, people: People, crew: Crew
) -> None:
    other = await people.sign_in(caller.id, caller.email)
    stranger, _ = await crew.add()
    async with connected(app, token=caller.access_token) as socket:
        for token in (stranger.access_token, caller.refresh_token, "nonsense"):
            await socket.send(type="refresh", token=token, ref="r")
            assert (await socket.receive())["code"] == "invalid_token"
        await socket.send(type="refresh", token=other.access_token, ref="r")
        renewed = await socket.receive()
        assert (await calls.post("/api/v1/auth/logout")).status_code == 204
        assert await socket.is_quiet(1.2)

    assert (renewed["type"], renewed["ref"]) == ("refreshed", "r")
    assert renewed["expires_at"].endswith("Z")


async def test_a_user_has_ten_sockets_at_most(app: Litestar, caller: Person, crew: Crew) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(connected(app, token=caller.access_token))
        with pytest.raises(Refused) as refused:
            await stack.enter_async_context(connected(app, "/ws/ada", token=caller.access_token))
        other, _ = await crew.add()
        await stack.enter_async_context(connected(app, token=other.access_token))

    assert (refused.value.status, refused.value.problem["code"]) == (429, "rate_limited")
    async with connected(app, token=caller.access_token):
        pass

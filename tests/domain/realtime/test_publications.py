"""What the service itself tells: of posts, of orders, and of people who are gone."""

from typing import Any
from uuid import uuid4

import httpx
from litestar import Litestar

from app.lib.realtime.tables import RealtimeEvent
from tests.domain.accounts.answers import ME, rows
from tests.domain.posts.writing import POSTS, draft, write
from tests.domain.realtime.steps import ROOMS, Crew, channel_of, join, make_room, run_queued
from tests.support.people import Person
from tests.support.shop import Shop
from tests.support.sockets import connected


async def published(app: Litestar, channel: str) -> list[tuple[str, Any]]:
    """The events of a channel, in order."""
    found = await rows(app, RealtimeEvent, RealtimeEvent.channel == channel)
    return [(each.event, each.data) for each in sorted(found, key=lambda each: each.id)]


async def kinds(app: Litestar, channel: str = "posts") -> list[str]:
    return [event for event, _ in await published(app, channel)]


async def test_public_posts_are_published(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    async with connected(app, token=caller.access_token) as socket:
        await socket.subscribe("posts")
        post = await write(calls)
        await run_queued(app)
        heard = await socket.receive()

    assert (heard["event"], heard["sender_id"]) == ("post.published", None)
    assert heard["data"] == {"post_id": post["id"], "author_id": str(caller.id), "version": 1}


async def test_a_job_that_runs_again_publishes_nothing_twice(app: Litestar, calls: httpx.AsyncClient) -> None:
    post = await write(calls)
    await calls.patch(f"{POSTS}/{post['id']}", json={"title": "Another day"})
    await run_queued(app, times=3)

    assert sorted(await kinds(app)) == ["post.published", "post.updated"]


async def test_drafts_are_not_published(app: Litestar, calls: httpx.AsyncClient) -> None:
    post = await draft(calls)
    url = f"{POSTS}/{post['id']}"
    await calls.patch(url, json={"title": "Still not"})
    await run_queued(app)
    await calls.delete(url)
    await run_queued(app)

    assert await kinds(app) == []


async def test_unpublishing_a_post_publishes_one_last_event(app: Litestar, calls: httpx.AsyncClient) -> None:
    post = await write(calls)
    url = f"{POSTS}/{post['id']}"
    await calls.post(f"{url}/unpublish")
    await run_queued(app)
    for number in range(3):
        await calls.patch(url, json={"title": f"Rewritten {number}"})
    await run_queued(app)
    assert await kinds(app) == ["post.published", "post.updated"]

    await calls.delete(url)
    await run_queued(app)
    assert await kinds(app) == ["post.published", "post.updated"], "the draft is private"


async def test_deleting_a_public_post_is_published(app: Litestar, calls: httpx.AsyncClient) -> None:
    url = f"{POSTS}/{(await write(calls))['id']}"
    await run_queued(app)
    await calls.delete(url)
    await run_queued(app)

    assert await kinds(app) == ["post.published", "post.deleted"]


async def test_customers_and_staff_hear_of_an_order(shop: Shop, crew: Crew) -> None:
    product = await shop.product(stock=3)
    order = await shop.order((product["id"], 1))
    staff, _ = await crew.add(permissions=["orders:read"])
    other, _ = await crew.add()
    channel = f"orders:{order['id']}"
    async with (
        connected(shop.app, token=shop.buys.headers["Authorization"].removeprefix("Bearer ")) as own,
        connected(shop.app, token=staff.access_token) as theirs,
        connected(shop.app, token=other.access_token) as foreign,
    ):
        assert (await foreign.subscribe(channel))["code"] == "not_found"
        for socket in (own, theirs):
            assert (await socket.subscribe(channel))["type"] == "subscribed"
        await shop.act(shop.buys, order, "cancel")
        await run_queued(shop.app, times=2)
        heard = [await own.receive(), await own.receive()]
        assert heard == [await theirs.receive(), await theirs.receive()]

    assert [each["event"] for each in heard] == ["order.placed", "order.cancelled"]
    assert heard[1]["data"] == {
        "order_id": order["id"],
        "number": order["number"],
        "status": "cancelled",
        "actor": "customer",
        "amount": order["total"],
        "refund_id": None,
        "version": 2,
    }


async def test_messages_stay_without_their_sender(
    app: Litestar, calls: httpx.AsyncClient, caller: Person, crew: Crew
) -> None:
    room = await make_room(calls)
    other, others = await crew.add(name="Grace Hopper")
    await join(others, room)
    async with connected(app, token=caller.access_token) as one, connected(app, token=other.access_token) as two:
        for number in range(3):
            await two.send(type="publish", channel=channel_of(room), data=number)
            await two.receive()
        await one.subscribe(channel_of(room))
        assert (await others.delete(ME)).status_code == 204
        await run_queued(app, times=2)
        heard = await one.receive()

    assert (heard["event"], heard["data"]["user_id"]) == ("room.left", str(other.id))
    said = (await calls.get(f"{ROOMS}/{room['id']}/messages", params={"sort": "id"})).json()["items"]
    assert [each["event"] for each in said] == ["room.joined", *["message"] * 3, "room.left"]
    assert [each["sender"] for each in said] == [None] * 5
    assert {each.sender_id for each in await rows(app, RealtimeEvent)} == {None}


async def test_a_room_that_is_handed_on_says_so_after_the_account_is_gone(
    app: Litestar, calls: httpx.AsyncClient, crew: Crew
) -> None:
    room = await make_room(calls)
    _, heirs = await crew.add()
    await join(heirs, room)
    assert (await calls.delete(ME)).status_code == 204
    await run_queued(app, times=2)

    assert [event for event, _ in await published(app, channel_of(room))] == [
        "room.joined",
        "room.left",
        "room.updated",
    ]


async def test_reading_publishes_nothing(app: Litestar, calls: httpx.AsyncClient) -> None:
    await calls.get(f"{POSTS}/{uuid4()}")
    await run_queued(app)

    assert await rows(app, RealtimeEvent) == []

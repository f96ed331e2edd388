"""What both reference clients do when connections, events and answers go missing."""

import asyncio
from typing import Any

import pytest

from tests.clients.conftest import Connect
from tests.clients.driven import Client, Refused
from tests.clients.scripted import ScriptedServer, Talk, member
from tests.support.waiting import until

ROOM = "room:tea"


def events(client: Client) -> list[int]:
    """The ids that were received, in order. The data went with them."""
    received = [each for each in client.happenings[ROOM] if each["kind"] == "event"]
    assert all(each["data"] == {"number": each["id"]} for each in received)
    return [each["id"] for each in received]


def others(client: Client, kind: str) -> list[dict[str, Any]]:
    return [each for each in client.happenings[ROOM] if each["kind"] == kind]


async def subscribed(server: ScriptedServer, client: Client, last_id: int = 0, **answer: Any) -> Talk:
    """A connection on which the client is subscribed to the room."""
    asking = asyncio.create_task(client.subscribe(ROOM))
    talk = await server.accept()
    await talk.agree(last_id, **answer)
    await asking
    return talk


async def test_events_come_in_order_and_each_once(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    talk = await subscribed(server, client, last_id=6)

    await talk.tell(7, 8, 8, 7, 9)

    await until(lambda: events(client)[-1:] == [9])
    assert events(client) == [7, 8, 9]


async def test_a_missing_event_is_asked_for(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    talk = await subscribed(server, client)

    await talk.tell(1, 3, 4)
    await talk.receive("unsubscribe")
    asked = await talk.agree(last_id=4, missed=3)
    await talk.tell(2, 3, 4, 5)

    assert asked["since"] == 1
    await until(lambda: len(events(client)) == 5)
    assert events(client) == [1, 2, 3, 4, 5]


async def test_after_a_break_it_goes_on_where_it_was(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    talk = await subscribed(server, client)
    await talk.tell(1, 2)
    await until(lambda: len(events(client)) == 2)

    talk.drop()
    talk = await server.accept()
    asked = await talk.agree(last_id=4, missed=2)
    await talk.tell(3, 4, 5)

    assert asked["since"] == 2
    await until(lambda: len(events(client)) == 5)
    assert events(client) == [1, 2, 3, 4, 5]
    assert others(client, "recovered") == [{"kind": "recovered", "missed": 2}]


async def test_without_an_event_it_resumes_from_the_first_position(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    talk = await subscribed(server, client, last_id=41)

    await talk.close(1012)
    talk = await server.accept()

    assert (await talk.agree(last_id=41))["since"] == 41


async def test_a_gap_that_cannot_be_recovered_is_reported(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    talk = await subscribed(server, client)

    talk.drop()
    talk = await server.accept()
    await talk.agree(last_id=900, recovered=False, missed=900)
    await talk.tell(901)

    await until(lambda: len(events(client)) == 1)
    assert others(client, "lost") == [{"kind": "lost", "missed": 900, "last_id": 900}]
    assert others(client, "recovered") == []


async def test_since_of_an_earlier_life_is_used(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    asking = asyncio.create_task(client.subscribe(ROOM, since=7))
    talk = await server.accept()
    asked = await talk.agree(last_id=8, missed=1)
    await talk.tell(8)
    await asking

    assert asked["since"] == 7
    await until(lambda: len(events(client)) == 1)
    assert others(client, "recovered") == [{"kind": "recovered", "missed": 1}]


async def test_presence_is_followed_across_a_break(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    talk = await subscribed(server, client, presence=("ada", "bob"))
    await talk.send("presence", channel=ROOM, join=[member("cy")], leave=[])
    await talk.send("presence", channel=ROOM, join=[], leave=[member("bob")])
    await until(lambda: len(others(client, "presence")) == 3)
    talk.drop()
    talk = await server.accept()
    await talk.agree(presence=("ada", "dan"))

    await until(lambda: len(others(client, "presence")) == 4)
    received = [{name: each[name] for name in ("members", "join", "leave")} for each in others(client, "presence")]
    assert received == [
        {"members": ["ada", "bob"], "join": ["ada", "bob"], "leave": []},
        {"members": ["ada", "bob", "cy"], "join": ["cy"], "leave": []},
        {"members": ["ada", "cy"], "join": [], "leave": ["bob"]},
        {"members": ["ada", "dan"], "join": ["dan"], "leave": ["cy"]},
    ]


async def test_what_was_not_acknowledged_is_published_again_with_its_key(
    server: ScriptedServer, connect: Connect
) -> None:
    client = await connect()
    publishing = [asyncio.create_task(client.publish(ROOM, {"number": number})) for number in (1, 2)]
    talk = await server.accept()
    first = await talk.ack(1)
    second = await talk.receive("publish")
    assert await publishing[0] == 1

    talk.drop()
    talk = await server.accept()
    again = await talk.ack(2)

    assert again == second
    assert again["key"] != first["key"]
    assert await publishing[1] == 2


async def test_a_key_of_ones_own_is_used(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    publishing = asyncio.create_task(client.publish(ROOM, None, key="order-17"))
    talk = await server.accept()

    assert (await talk.ack(5))["key"] == "order-17"
    assert await publishing == 5


async def test_what_is_refused_for_the_moment_is_sent_again(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    publishing = asyncio.create_task(client.publish(ROOM, "x"))
    talk = await server.accept()
    first = await talk.receive("publish")
    await talk.refuse(first, "unavailable", retryable=True)

    assert await talk.ack(3) == first
    assert await publishing == 3


async def test_a_final_refusal_is_reported(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    publishing = asyncio.create_task(client.publish(ROOM, "x"))
    subscribing = asyncio.create_task(client.subscribe(ROOM))
    talk = await server.accept()
    await talk.refuse(await talk.receive("subscribe"), "not_found")
    await talk.refuse(await talk.receive("publish"), "closed")

    with pytest.raises(Refused, match="not_found"):
        await subscribing
    with pytest.raises(Refused, match="closed"):
        await publishing


async def test_a_subscription_that_is_refused_for_the_moment_is_asked_for_again(
    server: ScriptedServer, connect: Connect
) -> None:
    client = await connect()
    subscribing = asyncio.create_task(client.subscribe(ROOM))
    talk = await server.accept()
    await talk.refuse(await talk.receive("subscribe"), "unavailable", retryable=True)
    await talk.agree()
    await subscribing


async def test_pings_are_answered(server: ScriptedServer, connect: Connect) -> None:
    await connect()
    talk = await server.accept()
    await talk.send("ping")

    assert await talk.receive("pong") == {"type": "pong"}


async def test_a_silent_server_is_left(server: ScriptedServer, connect: Connect) -> None:
    await connect(silence=0.4)
    first = await server.accept()
    second = await server.accept()

    assert first is not second


async def test_frames_of_newer_servers_do_no_harm(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    talk = await subscribed(server, client)
    await talk.send("weather", sunny=True)
    await talk.tell(1)

    await until(lambda: events(client) == [1])
    assert not server.has_more_connections


async def test_when_the_session_has_ended_a_new_token_is_used(server: ScriptedServer, connect: Connect) -> None:
    client = await connect("old", "new")
    talk = await subscribed(server, client)
    await talk.close(4401)
    talk = await server.accept()
    await talk.agree()

    assert server.tokens == ["old", "new"]


async def test_a_token_that_gets_no_ticket_is_renewed_once(server: ScriptedServer, connect: Connect) -> None:
    server.refusals.append((401, ""))
    await connect("old", "new")
    await server.accept()

    assert server.tokens == ["old", "new"]


async def test_a_refused_sign_in_is_reported(server: ScriptedServer, connect: Connect) -> None:
    server.refusals.extend([(401, ""), (401, "")])
    client = await connect("old", "new")

    with pytest.raises(Refused, match="was_401"):
        await client.subscribe(ROOM)
    with pytest.raises(Refused, match="was_401"):
        await client.publish(ROOM, "x")


async def test_subscriptions_end_when_the_account_does(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    talk = await subscribed(server, client)
    server.refusals.extend([(401, ""), (401, "")])
    await talk.close(4401)

    await until(lambda: client.happenings[ROOM] == [{"kind": "end", "code": "was_401"}])


async def test_tickets_are_asked_for_until_there_is_one(server: ScriptedServer, connect: Connect) -> None:
    server.refusals.extend([(503, "Retry-After: 1\r\n"), (429, ""), (500, "")])
    await connect()
    talk = await server.accept()

    assert talk.ticket == "ticket-4"


async def test_an_origin_that_may_not_connect_gives_up(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    talk = await subscribed(server, client)
    await talk.close(4403)

    await until(lambda: client.happenings[ROOM] == [{"kind": "end", "code": "forbidden"}])


async def test_a_frame_that_the_server_cannot_read_is_not_sent_twice(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    talk = await subscribed(server, client)
    publishing = asyncio.create_task(client.publish(ROOM, "odd"))
    await talk.receive("publish")
    await talk.close(4400)

    with pytest.raises(Refused, match="bad_frame"):
        await publishing
    talk = await server.accept()
    await talk.agree()
    await talk.tell(1)
    await until(lambda: events(client) == [1])


async def test_a_frame_that_is_too_large_is_not_sent(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    with pytest.raises(Refused, match="too_large"):
        await client.publish(ROOM, "ä" * 33_000)


async def test_lost_rights_end_a_subscription_and_no_other(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    talk = await subscribed(server, client)
    await talk.send("unsubscribed", channel=ROOM, ref=None, reason="forbidden")
    await until(lambda: client.happenings[ROOM] == [{"kind": "end", "code": "forbidden"}])
    asking = asyncio.create_task(client.subscribe("posts"))
    await talk.agree()
    await asking

    talk.drop()
    talk = await server.accept()
    assert (await talk.agree())["channel"] == "posts"


async def test_a_subscription_that_the_server_resets_is_asked_for_again(
    server: ScriptedServer, connect: Connect
) -> None:
    client = await connect()
    talk = await subscribed(server, client)
    await talk.tell(1)
    await talk.send("unsubscribed", channel=ROOM, ref=None, reason="reset")
    asked = await talk.agree(last_id=1)
    await talk.tell(2)

    assert asked["since"] == 1
    await until(lambda: events(client) == [1, 2])


async def test_unsubscribed_channels_are_silent_and_can_be_taken_up_again(
    server: ScriptedServer, connect: Connect
) -> None:
    client = await connect()
    talk = await subscribed(server, client)
    await client.unsubscribe(ROOM)
    left = await talk.receive("unsubscribe")
    await talk.tell(1)
    asking = asyncio.create_task(client.subscribe(ROOM))
    asked = await talk.agree(last_id=1)
    await talk.send("unsubscribed", channel=ROOM, ref=left["ref"], reason=None)
    await asking
    await talk.tell(2)

    assert "since" not in asked
    await until(lambda: events(client) == [2])


async def test_a_new_token_can_be_shown_on_the_way(server: ScriptedServer, connect: Connect) -> None:
    client = await connect("old", "new")
    talk = await subscribed(server, client)
    refreshing = asyncio.create_task(client.refresh())
    asked = await talk.receive("refresh")
    await talk.send("refreshed", expires_at="2026-01-31T12:00:00Z", ref=asked["ref"])

    assert asked["token"] == "new"
    assert await refreshing == "2026-01-31T12:00:00Z"


async def test_slow_down_is_heard(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    talk = await subscribed(server, client)
    await talk.close(4429)
    talk = await server.accept()
    await talk.agree()
    await talk.tell(1)

    await until(lambda: events(client) == [1])

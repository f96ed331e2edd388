"""Frames that one of the two sides cannot read: they cost nothing but themselves."""

import asyncio
from typing import Any

import pytest

from tests.clients.conftest import Connect
from tests.clients.driven import Refused
from tests.clients.scripted import ScriptedServer
from tests.clients.test_contract import ROOM, events, subscribed
from tests.support.waiting import until


@pytest.mark.parametrize("since", [-5, 1.5, 2**53, "7"])
async def test_a_bad_position_is_refused_and_nothing_else(server: ScriptedServer, connect: Connect, since: Any) -> None:
    client = await connect()
    talk = await subscribed(server, client)

    with pytest.raises(Refused, match="bad_frame"):
        await client.subscribe("room:other", since)

    await talk.tell(1)
    await until(lambda: events(client) == [1])
    assert not server.has_more_connections


@pytest.mark.parametrize("channel", ["", "x" * 98, "Room:x", "room:x\n"])
async def test_what_is_no_channel_is_refused_and_nothing_else(
    server: ScriptedServer, connect: Connect, channel: str
) -> None:
    client = await connect()
    talk = await subscribed(server, client)

    with pytest.raises(Refused, match="invalid_channel"):
        await client.subscribe(channel)
    with pytest.raises(Refused, match="invalid_channel"):
        await client.publish(channel, 1)

    await talk.tell(1)
    await until(lambda: events(client) == [1])
    assert not server.has_more_connections


@pytest.mark.parametrize("data", ["cut: \ud83d", {"\udc00": 1}])
async def test_half_a_surrogate_is_refused_and_nothing_else(
    server: ScriptedServer, connect: Connect, data: Any
) -> None:
    client = await connect()
    talk = await subscribed(server, client)

    with pytest.raises(Refused, match="invalid_data"):
        await client.publish(ROOM, data)

    whole = asyncio.create_task(client.publish(ROOM, "whole \U0001f600, and \\ud83d in words"))
    assert (await talk.ack(1))["data"] == "whole \U0001f600, and \\ud83d in words"
    await whole
    assert not server.has_more_connections


async def test_the_frame_that_the_server_cannot_read_is_found_among_many(
    server: ScriptedServer, connect: Connect
) -> None:
    client = await connect()
    talk = await subscribed(server, client)
    publishing = [asyncio.create_task(client.publish(ROOM, word)) for word in ("good", "bad", "better")]
    for _ in publishing:
        await talk.receive("publish")
    await talk.close(4400)

    talk = await server.accept()
    await talk.agree()
    assert (await talk.ack(1))["data"] == "good"
    assert (await talk.receive("publish"))["data"] == "bad"
    await talk.close(4400)
    talk = await server.accept()
    await talk.agree()
    assert (await talk.ack(2))["data"] == "better"

    answers = await asyncio.gather(*publishing, return_exceptions=True)
    assert [str(each) for each in answers] == ["1", "bad_frame", "2"]


async def test_a_subscription_that_the_server_cannot_read_ends(server: ScriptedServer, connect: Connect) -> None:
    client = await connect()
    asking = asyncio.create_task(client.subscribe(ROOM))
    talk = await server.accept()
    await talk.receive("subscribe")
    await talk.close(4400)

    with pytest.raises(Refused, match="bad_frame"):
        await asking
    talk = await server.accept()
    publishing = asyncio.create_task(client.publish("room:other", 1))
    await talk.ack(1)
    assert await publishing == 1


async def test_few_frames_wait_for_an_answer(server: ScriptedServer, connect: Connect) -> None:
    """A server that stands still would otherwise find them all at once, and too many."""
    client = await connect()
    talk = await subscribed(server, client)
    publishing = [asyncio.create_task(client.publish(ROOM, number)) for number in range(12)]
    asked = [await talk.receive("publish") for _ in range(8)]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(talk.connection.recv(), 2)

    for number, frame in enumerate(asked):
        await talk.send("ack", id=number + 1, ref=frame["ref"])
    for number in range(8, 12):
        await talk.ack(number + 1)
    assert await asyncio.gather(*publishing) == list(range(1, 13))


@pytest.mark.parametrize("data", ["9" * 5_000, "[" * 20_000 + "]" * 20_000, "nonsense"], ids=["long", "deep", "no"])
async def test_an_event_that_cannot_be_read_stops_nothing(server: ScriptedServer, connect: Connect, data: str) -> None:
    client = await connect()
    talk = await subscribed(server, client)

    head = f'{{"type":"event","channel":"{ROOM}","id":1,"event":"message","data":'
    await talk.connection.send(f'{head}{data},"sent_at":"2026-01-31T12:00:00Z","sender_id":null}}')
    await talk.tell(2)

    await until(lambda: [each["id"] for each in client.happenings[ROOM] if each["kind"] == "event"][-1:] == [2])
    assert not server.has_more_connections

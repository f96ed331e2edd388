"""A slow reader in Python loses nothing, and delays no one."""

import asyncio

from clients.python.lodestar_client.realtime import UNREAD, Event, Realtime, Subscription
from tests.clients.scripted import ScriptedServer

ALL = list(range(1, UNREAD + 3))


async def token(_renew: bool) -> str:
    return "token"


async def read(subscription: Subscription) -> list[int]:
    seen: list[int] = []
    async for happening in subscription:
        if isinstance(happening, Event):
            seen.append(happening.id)
            if happening.id == ALL[-1]:
                break
    return seen


async def test_what_does_not_fit_is_asked_for_when_the_rest_is_read(server: ScriptedServer) -> None:
    async with Realtime(server.url, get_token=token) as client:
        asking = asyncio.create_task(client.subscribe("room:tea"))
        talk = await server.accept()
        await talk.agree()
        subscription = await asking
        await talk.tell(*ALL)
        publishing = asyncio.create_task(client.publish("room:tea", "the answer comes through all the same"))
        await talk.ack(ALL[-1] + 1)
        assert await publishing == ALL[-1] + 1

        reading = asyncio.create_task(read(subscription))
        await talk.receive("unsubscribe")
        asked = await talk.agree(last_id=ALL[-1], missed=2)
        await talk.tell(*ALL[-2:])

        assert asked["since"] == UNREAD
        assert await reading == ALL

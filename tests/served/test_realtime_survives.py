"""Channels while connections break, workers die and what lies between the workers goes away."""

import asyncio
import json
from contextlib import AsyncExitStack, suppress
from functools import partial

import pytest
from sqlalchemy import text
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.clients.driven import CLIENTS
from tests.served.crowd import PATIENCE, RECONNECTS, Crowd, come_and_go
from tests.served.harbour import Harbour, realtime_of
from tests.support.valkey import Valkey
from tests.support.waiting import until, until_it_holds

AT_ONCE = 80


@pytest.mark.parametrize("way", ["postgresql"], indirect=True)
async def test_nothing_is_lost_doubled_or_out_of_order_across_100_reconnects(harbour: Harbour) -> None:
    """The other ways are tried by tests/chaos."""
    await come_and_go(harbour, RECONNECTS)


@pytest.mark.parametrize("way", ["memory"], indirect=True)
@pytest.mark.parametrize("language", list(CLIENTS))
async def test_clients_are_never_too_fast(harbour: Harbour, language: str) -> None:
    person = await harbour.member("Ada")
    client = CLIENTS[language](harbour.address, [person.access_token], 60.0)
    await client.start()
    try:
        await client.subscribe(harbour.channel)
        ids = await asyncio.gather(*(client.publish(harbour.channel, {"number": number}) for number in range(AT_ONCE)))
        await until(lambda: len(client.happenings[harbour.channel]) > AT_ONCE, PATIENCE)
    finally:
        await client.close()

    assert ids == list(range(ids[0], ids[0] + AT_ONCE))
    received = [each for each in client.happenings[harbour.channel] if each["kind"] == "event"]
    assert [each["data"]["number"] for each in received] == list(range(AT_ONCE))
    assert {each["kind"] for each in client.happenings[harbour.channel]} == {
        "presence",
        "event",
    }  # it never had to come back


@pytest.mark.parametrize("way", ["valkey"], indirect=True)
async def test_a_restart_of_valkey_loses_nothing(harbour: Harbour, valkey: Valkey) -> None:
    async with AsyncExitStack() as stack:
        crowd = Crowd(harbour, harbour.address, stack)
        await crowd.gather()
        for _ in range(3):
            await until_more_is_said(crowd)
            await asyncio.to_thread(valkey.stop)
            await until_more_is_said(crowd)
            await asyncio.to_thread(valkey.start)

        await crowd.until_all_is_heard()
        assert {client.connections for client in crowd.clients} == {1}


@pytest.mark.parametrize("way", ["postgresql"], indirect=True)
@pytest.mark.parametrize("whose", ["application_name = 'events'", "true"], ids=["listen", "all"])
async def test_cut_connections_of_the_database_lose_nothing(harbour: Harbour, whose: str) -> None:
    async with AsyncExitStack() as stack:
        crowd = Crowd(harbour, harbour.address, stack)
        await crowd.gather()
        for _ in range(5):
            await until_more_is_said(crowd)
            await until_it_holds(partial(cut, harbour, whose), PATIENCE)

        await crowd.until_all_is_heard()
        assert {client.connections for client in crowd.clients} == {1}


async def until_more_is_said(crowd: Crowd) -> None:
    before = [len(talker.said) for talker in crowd.talkers]
    await until(
        lambda: all(len(talker.said) > count for talker, count in zip(crowd.talkers, before, strict=True)), PATIENCE
    )


async def cut(harbour: Harbour, whose: str) -> bool:
    """Ends connections of the service to its database, as an administrator would. False when there are none."""
    statement = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "  # noqa: S608 - our own condition
        f"WHERE datname = current_database() AND pid <> pg_backend_pid() AND {whose}"
    )
    async with harbour.core.database.engine.connect() as connection:
        return bool((await connection.execute(statement)).scalar_one())


@pytest.mark.parametrize("way", ["sqlite"], indirect=True)
async def test_presence_is_right_after_a_worker_was_killed(harbour: Harbour) -> None:
    async with AsyncExitStack() as stack:
        watcher = await harbour.member("Ada")
        watching = await stack.enter_async_context(realtime_of(watcher, harbour.address))
        subscription = await watching.subscribe(harbour.channel)
        crew = [await harbour.member(f"Sailor {number}") for number in range(6)]
        boats = [Boat(harbour, person.access_token) for person in crew]
        for boat in boats:
            await boat.board(stack)
        everybody = {str(watcher.id), *(str(person.id) for person in crew)}
        await until(lambda: {member.id for member in subscription.members} == everybody, PATIENCE)

        for pid in sorted(harbour.server.workers()):
            if not any(boat.has_sunk for boat in boats):
                await harbour.kill_worker(pid)
                await asyncio.sleep(0.5)

        gone = {str(person.id) for person, boat in zip(crew, boats, strict=True) if boat.has_sunk}
        assert gone
        await until(lambda: {member.id for member in subscription.members} == everybody - gone, PATIENCE)
        await until_it_holds(lambda: harbour_is_ready(harbour), PATIENCE)


@pytest.mark.parametrize("way", ["sqlite", "postgresql"], indirect=True)
async def test_the_sockets_of_a_killed_worker_free_their_places(harbour: Harbour) -> None:
    async with AsyncExitStack() as stack:
        person = await harbour.member("Ada")
        boats = [Boat(harbour, person.access_token) for _ in range(10)]
        for boat in boats:
            await boat.board(stack)
        for pid in harbour.server.workers():
            await harbour.kill_worker(pid)
        await until(lambda: all(boat.has_sunk for boat in boats), PATIENCE)
        await until_it_holds(lambda: harbour_is_ready(harbour), PATIENCE)

        async def is_aboard() -> bool:
            with suppress(InvalidStatus):
                await Boat(harbour, person.access_token).board(stack)
                return True
            return False

        for _ in boats:
            await until_it_holds(is_aboard, PATIENCE)
        assert not await is_aboard()


async def harbour_is_ready(harbour: Harbour) -> bool:
    return await asyncio.to_thread(harbour.server.answers, "/health/ready")


class Boat:
    """A connection that does not come back."""

    def __init__(self, harbour: Harbour, token: str) -> None:
        self._channel = harbour.channel
        self._address = harbour.address.replace("http", "ws") + "/api/v1/realtime"
        self._token = token
        self._sinking: asyncio.Task[None] | None = None

    @property
    def has_sunk(self) -> bool:
        return self._sinking is not None and self._sinking.done()

    async def board(self, stack: AsyncExitStack) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        connection = await stack.enter_async_context(
            connect(self._address, additional_headers=headers, ping_interval=None)
        )
        await connection.send(json.dumps({"type": "subscribe", "channel": self._channel}))
        assert json.loads(await connection.recv())["type"] == "subscribed"
        self._sinking = asyncio.create_task(connection.wait_closed())

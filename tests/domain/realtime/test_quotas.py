"""What is said has a size, lists of it have one, and what is made up leaves nothing."""

from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import func, select, update

from app.lib.db.base import Base, table_of
from app.lib.db.instants import database_now, database_now_plus
from app.lib.realtime.service import Realtime
from app.lib.realtime.tables import RealtimeEvent
from tests.domain.realtime.steps import channel_of, join, make_room, messages_of
from tests.support.apps import Deployment, client_of, core_of
from tests.support.people import People, Person
from tests.support.sockets import Closed, connected
from tests.support.waiting import until

pytestmark = pytest.mark.asvs("15.2.2")


def data_of(size: int) -> str:
    return "x" * (size - 2)  # as JSON it has two quotes


async def test_a_message_has_a_size(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    room = await make_room(calls)
    async with connected(app, token=caller.access_token) as socket:
        await socket.send(type="publish", channel=channel_of(room), data=data_of(4_096), ref="1")
        assert (await socket.receive())["type"] == "ack"
        await socket.send(type="publish", channel=channel_of(room), data=data_of(4_097), ref="2")
        refused = await socket.receive()
        assert (refused["type"], refused["code"], refused["ref"]) == ("error", "too_large", "2")
        assert not refused["retryable"]
        await socket.send(type="publish", channel=channel_of(room), data="\u00fc" * 2_048, ref="3")
        assert (await socket.receive())["code"] == "too_large", "in bytes, not in characters"

    said = (await calls.get(messages_of(room))).json()["items"]
    assert [item["event"] for item in said].count("message") == 1


async def test_a_line_in_the_lobby_has_a_size(app: Litestar, caller: Person) -> None:
    async with connected(app, "/ws/ada", token=caller.access_token) as socket:
        await socket.send_text("x" * 5_000)
        with pytest.raises(Closed) as closed:
            await socket.receive_text()
    assert closed.value.code == 4413


async def test_a_list_stays_small_where_messages_may_be_large(deployment: Deployment) -> None:
    app = await deployment.start(REALTIME_MAX_MESSAGE_BYTES="60000")
    person = await People(app).create()
    async with client_of(app, headers=person.headers) as calls:
        room = await make_room(calls)
        async with connected(app, token=person.access_token) as socket:
            for number in range(8):
                await socket.send(type="publish", channel=channel_of(room), data=f"{number}{data_of(59_000)}")
                assert (await socket.receive())["type"] == "ack"
        seen: list[str] = []
        query: dict[str, Any] = {"page_size": 100, "page": 1}
        while query["page"] * 6 < 8 + 6:
            answer = await calls.get(messages_of(room), params=query)
            assert len(answer.content) < 420_000
            assert answer.json()["page_size"] == 6
            seen += [item["data"][0] for item in answer.json()["items"] if item["event"] == "message"]
            query["page"] += 1
    assert seen == list("76543210")


async def test_a_person_publishes_so_many_messages_in_a_day(deployment: Deployment) -> None:
    app = await deployment.start(REALTIME_MAX_MESSAGES_PER_DAY="5")
    people = People(app)
    person, other = await people.create(), await people.create()
    async with client_of(app, headers=person.headers) as calls, client_of(app, headers=other.headers) as others:
        room = await make_room(calls)
        await join(others, room)
        async with connected(app, token=person.access_token) as one, connected(app, token=other.access_token) as two:
            frame = {"type": "publish", "channel": channel_of(room), "data": "Ahoy"}
            for _ in range(5):
                await one.send(**frame)
                assert (await one.receive())["type"] == "ack"
            for _ in range(2):
                await one.send(**frame, ref="6")
                refused = await one.receive()
                assert (refused["type"], refused["code"], refused["ref"]) == ("error", "rate_limited", "6")
                assert not refused["retryable"]
            await two.send(**frame)
            assert (await two.receive())["type"] == "ack", "others are not affected"
        async with connected(app, "/ws/ada", token=person.access_token) as lobby:
            await lobby.send_text("Ahoy")
            with pytest.raises(Closed) as closed:
                await lobby.receive_text()
        assert closed.value.code == 4429

        said = (await calls.get(messages_of(room), params={"page_size": 50})).json()["items"]
        assert [item["event"] for item in said].count("message") == 6


async def test_yesterday_does_not_count(deployment: Deployment) -> None:
    app = await deployment.start(REALTIME_MAX_MESSAGES_PER_DAY="2")
    person, core = await People(app).create(), core_of(app)
    async with client_of(app, headers=person.headers) as calls:
        frame = {"type": "publish", "channel": channel_of(await make_room(calls)), "data": "Ahoy"}
        async with connected(app, token=person.access_token) as socket:
            for _ in range(2):
                for _ in range(2):
                    await socket.send(**frame)
                    assert (await socket.receive())["type"] == "ack"
                async with core.database.independent() as unit:
                    await unit.session.execute(update(RealtimeEvent).values(created_at=database_now_plus(-86_401)))


async def test_messages_are_kept_as_long_as_the_setting_says(deployment: Deployment) -> None:
    app = await deployment.start(REALTIME_KEEP_DAYS="30")
    person, core = await People(app).create(), core_of(app)
    async with client_of(app, headers=person.headers) as calls:
        room = await make_room(calls)
        async with connected(app, token=person.access_token) as socket:
            await socket.send(type="publish", channel=channel_of(room), data="Ahoy")
            assert (await socket.receive())["type"] == "ack"
        assert (await calls.get(messages_of(room))).json()["items"]
        async with core.database.independent() as unit:
            await unit.session.execute(update(RealtimeEvent).values(expires_at=database_now()))
        async with core.database.independent() as unit:
            assert await core.services.get(Realtime).trim(unit)
        assert (await calls.get(messages_of(room))).json()["items"] == []


async def test_made_up_channels_of_presence_leave_no_rows(app: Litestar, caller: Person) -> None:
    tables = [each for each in Base.metadata.sorted_tables if each.name.startswith("realtime_")]
    tables.remove(table_of(RealtimeEvent))

    async def rows() -> dict[str, int]:
        async with core_of(app).database.independent() as unit:
            found = [
                (await unit.session.execute(select(func.count()).select_from(each))).scalar_one() for each in tables
            ]
        return {each.name: count for each, count in zip(tables, found, strict=True) if count}

    async with connected(app, token=caller.access_token) as socket:
        before = await rows()
        for number in range(15):
            answer = await socket.subscribe(f"presence:made-up-{number}")
            assert answer["type"] == "subscribed"
        assert (await rows())["realtime_presence"] == 15 + 1, "the socket itself is one"
        await socket.send(type="publish", channel="presence:made-up-0", data=1)
        assert (await socket.receive())["code"] == "forbidden"

    last: dict[str, int] = {}
    for _ in range(50):
        last = await rows()
        if "realtime_presence" not in last:
            break
        await until(lambda: True)
    assert last.keys() <= before.keys() - {"realtime_presence"}

"""The metrics of sockets and channels."""

import httpx
from litestar import Litestar
from prometheus_client.parser import text_string_to_metric_families

from tests.domain.realtime.steps import channel_of, make_room
from tests.support.people import People, Person
from tests.support.sockets import connected
from tests.support.streams import listening
from tests.support.waiting import until_it_holds


async def scrape(people: People, watcher: Person) -> dict[tuple[str, ...], float]:
    """Values by name and what is behind the process in the labels."""
    async with people.client(watcher) as calls:
        response = await calls.get("/metrics")
    return {
        (sample.name, *(sample.labels[label] for label in ("kind", "code") if label in sample.labels)): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
        if sample.name.startswith("realtime_")
    }


async def test_sockets_and_events_are_counted(
    app: Litestar, calls: httpx.AsyncClient, caller: Person, people: People
) -> None:
    room = await make_room(calls)
    watcher = await people.create(permissions=["metrics:read"])
    before = await scrape(people, watcher)
    async with (
        connected(app, token=caller.access_token) as one,
        connected(app, token=caller.access_token) as two,
        connected(app, "/ws/ada", token=caller.access_token) as lobby,
        listening(app, channel_of(room), token=caller.access_token) as stream,
    ):
        await one.subscribe(channel_of(room))
        await stream.event()
        await one.send(type="publish", channel=channel_of(room), data="Ahoy")
        await one.receive()
        await one.receive()
        await stream.event()
        await two.send_bytes(b"nonsense")
        assert await two.until_closed() == 4400
        await lobby.send_text("x")
        await lobby.receive_text()

        async def only_one_is_left() -> bool:
            return (await scrape(people, watcher))["realtime_sockets", "socket"] == 1

        await until_it_holds(only_one_is_left)
        during = await scrape(people, watcher)

    assert during["realtime_fanout_connected",] == 1
    assert during["realtime_channels",] == 2
    assert [during["realtime_sockets", kind] for kind in ("socket", "stream", "lobby")] == [1, 1, 1]
    assert (
        during["realtime_sockets_closed_total", "4400"] == before.get(("realtime_sockets_closed_total", "4400"), 0) + 1
    )
    assert during["realtime_events_published_total",] == before["realtime_events_published_total",] + 2
    assert during["realtime_events_delivered_total",] == before["realtime_events_delivered_total",] + 3

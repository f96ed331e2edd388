import asyncio
import json
from uuid import uuid4

from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from app.lib.events import Event, Events, event
from tests.cli.conftest import Cli, refusal


@event("ship.launched")
class ShipLaunched(Event, frozen=True, kw_only=True):
    secret: str = "hunter2"


@event("ship.sunk")
class ShipSunk(Event, frozen=True, kw_only=True):
    pass


async def record(url: DatabaseURL) -> None:
    database = Database(DatabaseOptions(url=url))
    for kind in (ShipLaunched, ShipSunk):
        async with database.independent() as unit:
            await Events().publish(unit, kind(aggregate_id=uuid4(), aggregate_version=1))
    await database.close()


def test_events_are_listed_newest_first_without_what_they_hold(at: Cli, own_url: DatabaseURL) -> None:
    asyncio.run(record(own_url))

    found = json.loads(at("events", "list", "--json").stdout)
    assert [each["kind"] for each in found] == ["ship.sunk", "ship.launched"]
    assert len(json.loads(at("events", "list", "--json", "--kind", "ship.sunk").stdout)) == 1
    table = at("events", "list", "--limit", "2").stdout
    assert table.splitlines()[0].split() == ["ID", "KIND", "AGGREGATE", "VERSION", "CREATED"]
    assert "hunter2" not in table


def test_a_replay_for_a_listener_that_is_not_there_names_those_that_are(at: Cli) -> None:
    line = refusal(at("events", "backfill", "--listener", "unknown", "--since", "2026-01-01"), 5)

    assert line.startswith("Error: There is no listener unknown for that. Listeners: ")

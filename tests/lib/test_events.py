from collections.abc import AsyncIterator

import msgspec
import pytest
from sqlalchemy import func, select, text

from app.lib.audit import SYSTEM, AuditEvent, record
from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.uow import UnitOfWork
from app.lib.db.url import DatabaseURL
from app.lib.events import Events, Listener, listens_to


class Sold(msgspec.Struct, frozen=True):
    what: str


class Lost(msgspec.Struct, frozen=True):
    what: str


@listens_to(Sold)
async def write_down(event: Sold, unit: UnitOfWork) -> None:
    await record(unit, f"sold.{event.what}", SYSTEM)


@listens_to(Sold)
async def refuse_boats(event: Sold, _unit: UnitOfWork) -> None:
    if event.what == "boat":
        raise RuntimeError


async def publish(database: Database, event: msgspec.Struct, *listeners: Listener) -> None:
    async with database.independent() as unit:
        await unit.session.execute(text("SELECT 1"))
        await Events(listeners).publish(event, unit)


@pytest.fixture
async def database(database_url: DatabaseURL) -> AsyncIterator[Database]:
    database = Database(DatabaseOptions(url=database_url))
    yield database
    await database.close()


async def count(database: Database) -> int:
    async with database.sessions() as session:
        return (await session.execute(select(func.count()).select_from(AuditEvent))).scalar_one()


async def test_listeners_work_in_the_same_transaction(database: Database) -> None:
    before = await count(database)

    await publish(database, Sold("hat"), write_down, refuse_boats)
    with pytest.raises(RuntimeError):
        await publish(database, Sold("boat"), write_down, refuse_boats)

    assert await count(database) == before + 1


async def test_listeners_of_other_events_are_left_alone(database: Database) -> None:
    before = await count(database)

    await publish(database, Lost("hat"), write_down, refuse_boats)
    await publish(database, Lost("hat"))

    assert await count(database) == before


def test_the_decorator_makes_a_listener() -> None:
    assert isinstance(write_down, Listener)
    assert write_down.event is Sold

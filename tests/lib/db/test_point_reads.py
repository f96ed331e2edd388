"""Look-ups by key that arrive together are one statement, and each caller gets their own row."""

import asyncio
from collections.abc import Iterator
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import insert, select

from app.lib.db.base import new_id
from app.lib.db.engine import Database
from app.lib.db.point_reads import MAX_KEYS
from app.lib.db.prepared import PreparedIn
from tests.lib.db.toys import Toy


class Named(msgspec.Struct, frozen=True):
    id: UUID
    name: str


BY_ID = PreparedIn(select(Toy.id, Toy.name), Toy.id, Named)


@pytest.fixture
def statements(toys: Database) -> Iterator[list[str]]:
    seen: list[str] = []
    toys.reader.observers.append(seen.append)
    yield seen
    toys.reader.observers.remove(seen.append)


async def add(toys: Database, count: int) -> list[UUID]:
    ids = [new_id() for _ in range(count)]
    async with toys.engine.begin() as connection:
        await connection.execute(insert(Toy), [{"id": each, "name": each.hex[-12:]} for each in ids])
    return ids


async def test_those_that_arrive_together_are_one_statement(toys: Database, statements: list[str]) -> None:
    ids = await add(toys, 20)
    statements.clear()
    wanted = [*ids, *ids[:5], new_id()]
    found = await asyncio.gather(*(toys.reader.find(BY_ID, each) for each in wanted))

    assert [each and each.name for each in found] == [each.hex[-12:] for each in wanted[:-1]] + [None]
    assert len(statements) == 1


async def test_later_ones_are_another(toys: Database, statements: list[str]) -> None:
    [one] = await add(toys, 1)
    statements.clear()
    for _ in range(3):
        assert await toys.reader.find(BY_ID, one) == Named(one, one.hex[-12:])

    assert len(statements) == 3


async def test_a_statement_has_a_bounded_number_of_keys(toys: Database, statements: list[str]) -> None:
    ids = await add(toys, MAX_KEYS + 1)
    statements.clear()
    found = await asyncio.gather(*(toys.reader.find(BY_ID, each) for each in ids))

    assert [each and each.id for each in found] == ids
    assert len(statements) == 2


async def test_one_who_goes_away_takes_nothing_from_the_others(toys: Database) -> None:
    one, other = await add(toys, 2)
    leaving = [asyncio.ensure_future(toys.reader.find(BY_ID, one)) for _ in range(2)]
    staying = asyncio.ensure_future(toys.reader.find(BY_ID, other))
    await asyncio.sleep(0)
    for each in leaving:
        each.cancel()

    assert await staying == Named(other, other.hex[-12:])
    left = await asyncio.gather(*leaving, return_exceptions=True)
    assert [type(each) for each in left] == [asyncio.CancelledError] * 2


async def test_an_error_goes_to_all(toys: Database) -> None:
    await toys.reader.all(BY_ID.of([new_id()])[0], value_0=new_id())  # the reader works
    await toys._driver.close()
    try:
        found = await asyncio.gather(*(toys.reader.find(BY_ID, new_id()) for _ in range(3)), return_exceptions=True)
    finally:
        await toys._driver.start()

    assert [type(each).__name__ for each in found] == ["DatabaseUnavailable"] * 3

"""Connections go to those who wait, in the order in which they came."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.lib.db.engine import Database
from tests.lib.db.conftest import OpenDatabase


async def test_newcomers_do_not_overtake_those_who_wait(toys: Database, another: OpenDatabase) -> None:
    database = await another(pool_size=1)
    served: list[int] = []

    async def use_twice(number: int) -> None:
        for _ in range(2):  # asks again at the very moment when its connection is free
            connection = await database.engine.connect()
            served.append(number)
            await connection.execute(text("SELECT 1"))
            await connection.close()

    await asyncio.gather(*(use_twice(number) for number in range(5)))

    assert served == [*range(5), *range(5)]


async def test_waiters_that_give_up_lose_no_connection(toys: Database, another: OpenDatabase) -> None:
    database = await another(pool_size=2)

    async def use() -> None:
        async with database.engine.connect():
            await asyncio.sleep(0.001)

    await asyncio.gather(use(), use())  # opens the connections
    for delay in (0, 0.001, 0.002, 0.005):
        tasks = [asyncio.create_task(use()) for _ in range(20)]
        await asyncio.sleep(delay)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*(use() for _ in range(10)))

    size = database.engine.pool.size()  # type: ignore[attr-defined]  # of the queue pool
    held = [await database.engine.connect() for _ in range(size)]
    database.engine.pool._timeout = 0.05  # type: ignore[attr-defined]  # five or thirty seconds are long for a test
    with pytest.raises(PoolTimeout):
        await use()
    for connection in held:
        await connection.close()
    await use()

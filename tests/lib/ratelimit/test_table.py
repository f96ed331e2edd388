import asyncio
import time
from collections.abc import Callable

import pytest
import time_machine
from sqlalchemy import MetaData, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.lib.ratelimit.table import EngineCounterTable, rate_limit_table

MakeEngine = Callable[[], AsyncEngine]
TABLE = rate_limit_table(MetaData())


async def rows(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(TABLE))).scalar_one()


@pytest.fixture
def engine(make_engine: MakeEngine) -> AsyncEngine:
    return make_engine()


async def test_an_expired_row_that_was_not_purged_starts_again(engine: AsyncEngine) -> None:
    counters = EngineCounterTable(engine, TABLE)
    with time_machine.travel(time.time(), tick=False) as clock:
        assert await counters.incr("a", 10, 7) == 7
        clock.shift(10)
        assert await counters.get("a") == (0, time.time())
        assert await counters.incr("a", 10, 1) == 1
        hits, ends = await counters.get("a")
        assert hits == 1
        assert ends == pytest.approx(time.time() + 10, abs=0.002)


async def test_nothing_falls_below_zero(engine: AsyncEngine) -> None:
    counters = EngineCounterTable(engine, TABLE)

    assert await counters.incr("new", 10, -3) == 0
    assert await counters.incr("new", 10, 2) == 2
    assert await counters.incr("new", 10, -5) == 0


async def test_a_purge_takes_what_is_over_and_leaves_the_rest(engine: AsyncEngine) -> None:
    counters = EngineCounterTable(engine, TABLE)
    for number in range(5):
        await counters.incr(f"short-{number}", -1, 1)
    await counters.incr("long", 3600, 1)

    assert await counters.purge() == 5
    assert await rows(engine) == 1
    assert await counters.purge() == 0


async def test_counting_purges_now_and_then(engine: AsyncEngine) -> None:
    counters = EngineCounterTable(engine, TABLE)
    await counters.incr("over", -1, 1)
    await counters.incr("a", 3600, 1)
    assert await rows(engine) == 2

    counters._next_purge = 0.0
    await counters.incr("a", 3600, 1)
    assert await rows(engine) == 1
    await counters.incr("over", -1, 1)
    assert await rows(engine) == 2  # the next purge is a while off


async def test_a_process_that_stands_still_for_a_moment_takes_that_for_no_outage(make_engine: MakeEngine) -> None:
    table = EngineCounterTable(make_engine(), TABLE, timeout_seconds=0.4)
    await table.incr("a", 3600, 1)
    counting = asyncio.create_task(table.incr("a", 3600, 1))
    await asyncio.sleep(0)
    time.sleep(0.8)  # noqa: ASYNC251 - as a collection of garbage would

    assert await counting == 2


async def test_purges_and_counts_of_several_processes_do_not_disturb_each_other(make_engine: MakeEngine) -> None:
    tables = [EngineCounterTable(make_engine(), TABLE) for _ in range(2)]
    for number in range(200):
        await tables[0].incr(f"over-{number}", -1, 1)

    counts = [tables[number % 2].incr("a", 3600, 1) for number in range(100)]
    again = [tables[number % 2].incr(f"over-{number}", 3600, 1) for number in range(100)]
    purges = [tables[number % 2].purge() for number in range(10)]
    results = await asyncio.gather(*counts, *again, *purges)

    assert sorted(results[:100]) == list(range(1, 101))
    assert results[100:200] == [1] * 100
    assert await tables[0].purge() + sum(results[200:]) <= 200
    assert await rows(make_engine()) == 101

"""The counters: all of them together on memory, Valkey, SQLite and PostgreSQL, then what is special to each."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from redis.asyncio import SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import Connection
from sqlalchemy import MetaData, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.lib.ratelimit.counters import Counters, MemoryCounters, RedisCounters, TableCounters, rate_limit_table
from app.lib.ratelimit.limiter import Limit, NamedLimit, RateLimiter, Verdict

MakeCounters = Callable[[], Counters]
MakeEngine = Callable[[], AsyncEngine]
TABLE = rate_limit_table(MetaData())
TEN = NamedLimit("ten", Limit(10, 3600))
OTHER = NamedLimit("other", Limit(10, 3600))


async def fill(limiter: RateLimiter, hits: int = 10) -> Verdict:
    return [await limiter.hit(TEN, "a") for _ in range(hits)][-1]


async def test_counters_add_up_and_are_cleared_by_key(make_counters: MakeCounters) -> None:
    counters = make_counters()

    assert await counters.get("a") == 0
    assert await counters.incr("a", 60) == 1
    assert await counters.incr("a", 60, amount=4) == 5
    assert await counters.incr("a", 60, amount=-2) == 3
    assert await counters.incr("b", 60) == 1
    await counters.clear("a")
    assert (await counters.get("a"), await counters.get("b")) == (0, 1)


async def test_parallel_hits_of_two_processes_never_exceed_the_limit(make_counters: MakeCounters) -> None:
    one, two = RateLimiter(make_counters()), RateLimiter(make_counters())

    verdicts = await asyncio.gather(*(limiter.hit(TEN, "a") for _ in range(50) for limiter in (one, two)))

    assert sum(verdict.allowed for verdict in verdicts) == 10
    assert sorted(verdict.remaining for verdict in verdicts if verdict.allowed) == list(range(10))
    assert (await one.hit(TEN, "b")).remaining == 9
    assert (await one.hit(OTHER, "a")).remaining == 9


async def test_hits_can_be_given_back_and_cleared(make_counters: MakeCounters) -> None:
    limiter = RateLimiter(make_counters())
    await fill(limiter)

    assert await limiter.is_used_up(TEN, "a")
    await limiter.give_back(TEN, "a")
    assert not await limiter.is_used_up(TEN, "a")
    assert (await limiter.hit(TEN, "a")).remaining == 0
    await limiter.clear(TEN, "a")
    assert (await limiter.hit(TEN, "a")).remaining == 9


async def test_any_text_is_a_key(make_counters: MakeCounters) -> None:
    limiter = RateLimiter(make_counters())

    for key in ("x" * 500, "né\x00e", "\ud800", "a b:c/d", ""):
        assert (await limiter.hit(TEN, key)).remaining == 9
        assert (await limiter.hit(TEN, key)).remaining == 8


async def test_a_window_ends_when_the_verdict_says(make_counters: MakeCounters) -> None:
    limiter = RateLimiter(make_counters())
    with time_machine.travel(time.time(), tick=False) as clock:
        full = await fill(limiter)
        refused = await limiter.hit(TEN, "a")
        assert refused == Verdict(TEN, allowed=False, remaining=0, reset_after_seconds=full.reset_after_seconds)
        assert 1 <= full.reset_after_seconds <= 3600

        clock.shift(full.reset_after_seconds)
        fresh = await limiter.hit(TEN, "a")
        assert fresh.remaining == 9
        assert 3599 <= fresh.reset_after_seconds <= 3600


async def test_in_memory_a_window_ends_and_the_next_starts_at_zero() -> None:
    counters = MemoryCounters()
    with time_machine.travel(1_000_000.0, tick=False) as clock:
        assert await counters.incr("a", 60, 3) == 3
        clock.shift(59)
        assert await counters.get("a") == 3
        clock.shift(1)
        assert await counters.get("a") == 0
        assert await counters.incr("a", 60) == 1


async def test_expired_counters_do_not_pile_up() -> None:
    counters = MemoryCounters()
    with time_machine.travel(1_000_000.0, tick=False) as clock:
        for number in range(20_000):
            await counters.incr(str(number), 60)
            clock.shift(0.1)

    assert len(counters) < 2 * 600 + 1024  # 600 are alive at any time


async def test_a_flood_of_keys_is_bounded_and_pushes_out_what_ends_soonest() -> None:
    counters = MemoryCounters(max_keys=1000)
    await counters.incr("long", 3600)
    for number in range(5000):
        await counters.incr(str(number), 60)
        assert len(counters) <= 1000

    assert await counters.get("long") == 1
    assert await counters.get("0") == 0
    assert await counters.get("4999") == 1


async def rows(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(TABLE))).scalar_one()


async def test_an_expired_row_that_was_not_purged_starts_again(make_engine: MakeEngine) -> None:
    counters = TableCounters(make_engine(), TABLE)
    with time_machine.travel(time.time(), tick=False) as clock:
        assert await counters.incr("a", 10, 7) == 7
        clock.shift(10)
        assert await counters.get("a") == 0
        assert await counters.incr("a", 10, 1) == 1
        assert await counters.get("a") == 1


async def test_nothing_falls_below_zero(make_engine: MakeEngine) -> None:
    counters = TableCounters(make_engine(), TABLE)

    assert await counters.incr("new", 10, -3) == 0
    assert await counters.incr("new", 10, 2) == 2
    assert await counters.incr("new", 10, -5) == 0


async def test_expired_rows_are_deleted_by_a_purge_and_by_counting_once_a_minute(make_engine: MakeEngine) -> None:
    engine = make_engine()
    counters = TableCounters(engine, TABLE)
    for number in range(5):
        await counters.incr(f"short-{number}", -1, 1)
    await counters.incr("long", 3600, 1)

    assert await counters.purge() == 5
    assert await rows(engine) == 1
    assert await counters.purge() == 0

    await counters.incr("over", -1, 1)
    counters._next_purge = 0.0
    await counters.incr("long", 3600, 1)
    assert await rows(engine) == 1
    await counters.incr("over", -1, 1)
    assert await rows(engine) == 2  # the next purge is due in a minute


async def test_a_process_that_stands_still_for_a_moment_takes_that_for_no_outage(make_engine: MakeEngine) -> None:
    table = TableCounters(make_engine(), TABLE, timeout_seconds=1)
    await table.incr("a", 3600, 1)
    counting = asyncio.create_task(table.incr("a", 3600, 1))
    await asyncio.sleep(0)
    time.sleep(1.5)  # noqa: ASYNC251 - as a collection of garbage would

    assert await counting == 2


async def test_purges_and_counts_of_several_processes_do_not_disturb_each_other(make_engine: MakeEngine) -> None:
    tables = [TableCounters(make_engine(), TABLE) for _ in range(2)]
    for number in range(40):
        await tables[0].incr(f"over-{number}", -1, 1)

    counts = [tables[number % 2].incr("a", 3600, 1) for number in range(20)]
    again = [tables[number % 2].incr(f"over-{number}", 3600, 1) for number in range(20)]
    purges = [tables[number % 2].purge() for number in range(4)]
    results = await asyncio.gather(*counts, *again, *purges)

    assert sorted(results[:20]) == list(range(1, 21))
    assert results[20:40] == [1] * 20
    assert await tables[0].purge() + sum(results[40:]) <= 40
    assert await rows(make_engine()) == 21


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://:pw@cache.example:7000/3", Connection),
        ("valkey://:pw@cache.example:7000/3", Connection),
        ("rediss://:pw@cache.example:7000/3", SSLConnection),
        ("valkeys://:pw@cache.example:7000/3", SSLConnection),
        ("unix://:pw@/run/valkey.sock?db=3", UnixDomainSocketConnection),
    ],
)
async def test_both_spellings_of_a_url_are_understood(url: str, kind: type[Any]) -> None:
    counters = RedisCounters(url)
    pool = counters._pool

    assert pool.connection_class is kind
    assert pool.connection_kwargs["db"] == 3
    assert pool.connection_kwargs["password"] == "pw"
    assert pool.connection_kwargs["socket_timeout"] == 0.5
    assert pool.connection_kwargs.get("host", "cache.example") == "cache.example"
    await counters.close()


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(ValueError, match="must specify one of the following schemes"):
        RedisCounters("localhost:6379")

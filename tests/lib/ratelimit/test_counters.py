"""The counters: all of them together on memory, Valkey, SQLite and PostgreSQL, then what is special to each."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import time_machine
from redis.asyncio import SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import Connection
from sqlalchemy import MetaData, event, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.lib.ratelimit.counters import Count, Counters, MemoryCounters, TableCounters, rate_limit_table
from app.lib.ratelimit.limiter import Limit, NamedLimit, RateLimiter, Verdict
from app.lib.ratelimit.redis import RedisCounters
from tests.support.waiting import until_it_holds

MakeCounters = Callable[[], Counters]
MakeEngine = Callable[[], AsyncEngine]
TABLE = rate_limit_table(MetaData())
TEN = NamedLimit("ten", Limit(10, 3600))
OTHER = NamedLimit("other", Limit(10, 3600))
PATIENCE = 30.0


async def add(counters: Counters, key: str, seconds: int, amount: int = 1) -> int:
    return (await counters.add([Count(key, seconds, amount)]))[0]


async def fill(limiter: RateLimiter, hits: int = 10) -> Verdict:
    return [await limiter.hit(TEN, "a") for _ in range(hits)][-1]


async def test_counters_add_up_by_key_several_at_a_time(make_counters: MakeCounters) -> None:
    counters = make_counters()

    assert await counters.add([Count("b", 60), Count("a", 60)]) == [1, 1]
    assert await counters.add([Count("a", 60, 4), Count("c", 60), Count("b", 60, 0)]) == [5, 1, 1]
    assert await add(counters, "a", 60, -2) == 3


async def test_nothing_falls_below_zero(make_counters: MakeCounters) -> None:
    counters = make_counters()

    assert await add(counters, "new", 10, -3) == 0
    assert await add(counters, "new", 10, 2) == 2
    assert await add(counters, "new", 10, -1_000_000_000) == 0
    assert await add(counters, "new", 10, 1) == 1


async def test_what_locks_several_keys_locks_them_in_one_order(make_counters: MakeCounters) -> None:
    """Else two processes would wait for each other."""
    processes = [make_counters() for _ in range(2)]
    keys = [f"key-{number}" for number in range(6)]

    async def count(number: int) -> None:
        await processes[number % 2].add([Count(key, 60) for key in (keys if number % 2 else reversed(keys))])

    await asyncio.gather(*(count(number) for number in range(60)))

    assert await processes[0].add([Count(key, 60, 0) for key in keys]) == [60] * 6


async def test_parallel_hits_of_two_processes_never_exceed_the_limit(make_counters: MakeCounters) -> None:
    one, two = RateLimiter(make_counters()), RateLimiter(make_counters())

    verdicts = await asyncio.gather(*(limiter.hit(TEN, "a") for _ in range(50) for limiter in (one, two)))

    assert sum(verdict.allowed for verdict in verdicts) == 10
    assert sorted(verdict.remaining for verdict in verdicts if verdict.allowed) == list(range(10))
    assert (await one.hit(TEN, "b")).remaining == 9
    assert (await one.hit(OTHER, "a")).remaining == 9


async def test_hits_can_be_given_back_and_forgotten(make_counters: MakeCounters) -> None:
    limiter = RateLimiter(make_counters())
    await fill(limiter)

    await limiter.give_back([(TEN, "a")])
    assert (await limiter.hit(TEN, "a")).remaining == 0
    await limiter.give_back([(OTHER, "a")], forgotten=[(TEN, "a")])
    assert (await limiter.hit(TEN, "a")).remaining == 9


async def test_what_a_narrow_limit_refuses_does_not_count_for_the_wider_ones(make_counters: MakeCounters) -> None:
    limiter = RateLimiter(make_counters())
    narrow, wide = NamedLimit("narrow", Limit(2, 3600)), NamedLimit("wide", Limit(5, 3600))

    async def hit(key: str, *, alone: bool = False) -> list[bool]:
        verdicts = await limiter.hit_all([(narrow, key), (wide, "all")], only_first_refuses=alone)
        return [verdict.allowed for verdict in verdicts]

    assert [await hit("a") for _ in range(4)] == [[True, True], [True, True], [False], [False]]
    assert [await hit(key) for key in "bcde"] == [[True, True], [True, True], [True, True], [True, False]]
    assert await hit("f", alone=True) == [True, False]


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
        assert await add(counters, "a", 60, 3) == 3
        clock.shift(59)
        assert await add(counters, "a", 60, 0) == 3
        clock.shift(1)
        assert await add(counters, "a", 60, 0) == 0
        assert await add(counters, "a", 60) == 1


async def test_expired_counters_do_not_pile_up() -> None:
    counters = MemoryCounters()
    with time_machine.travel(1_000_000.0, tick=False) as clock:
        for number in range(20_000):
            await add(counters, str(number), 60)
            clock.shift(0.1)

    assert len(counters) < 2 * 600 + 1024  # 600 are alive at any time


async def test_a_flood_of_keys_is_bounded_and_pushes_out_what_ends_soonest() -> None:
    counters = MemoryCounters(max_keys=1000)
    await add(counters, "long", 3600)
    for number in range(5000):
        await add(counters, str(number), 60)
        assert len(counters) <= 1000

    assert await add(counters, "long", 60, 0) == 1
    assert await add(counters, "0", 60, 0) == 0
    assert await add(counters, "4999", 60, 0) == 1


async def rows(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(TABLE))).scalar_one()


async def test_an_expired_row_that_was_not_purged_starts_again(make_engine: MakeEngine) -> None:
    counters = TableCounters(make_engine(), TABLE)
    with time_machine.travel(time.time(), tick=False) as clock:
        assert await add(counters, "a", 10, 7) == 7
        clock.shift(10)
        assert await add(counters, "a", 60, 0) == 0
        assert await add(counters, "a", 10, 1) == 1
        assert await add(counters, "a", 60, 0) == 1


async def test_expired_rows_are_deleted_by_a_purge_and_by_counting_once_a_minute(make_engine: MakeEngine) -> None:
    engine = make_engine()
    counters = TableCounters(engine, TABLE)
    for number in range(5):
        await add(counters, f"short-{number}", -1, 1)
    await add(counters, "long", 3600, 1)

    assert await counters.purge() == 5
    assert await rows(engine) == 1
    assert await counters.purge() == 0

    await add(counters, "over", -1, 1)
    counters._next_purge = 0.0
    await add(counters, "long", 3600, 1)
    assert await rows(engine) == 1
    await add(counters, "over", -1, 1)
    assert await rows(engine) == 2  # the next purge is due in a minute


async def test_a_process_that_stands_still_for_a_moment_takes_that_for_no_outage(make_engine: MakeEngine) -> None:
    table = TableCounters(make_engine(), TABLE, timeout_seconds=1)
    await add(table, "a", 3600)
    counting = asyncio.create_task(add(table, "a", 3600))
    await asyncio.sleep(0)
    time.sleep(1.5)  # noqa: ASYNC251 - as a collection of garbage would

    assert await counting == 2


async def test_a_count_that_waits_for_another_transaction_gives_up(make_engine: MakeEngine) -> None:
    """SQLite's has the lock of the writer, PostgreSQL's the row."""
    counters = TableCounters(make_engine(), TABLE, timeout_seconds=PATIENCE)
    assert await add(counters, "a", 3600) == 1
    counters._timeout_seconds = 0.1
    async with make_engine().begin() as other:
        await other.execute(TABLE.update().values(hits=7))
        async with asyncio.timeout(PATIENCE):
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await add(counters, "a", 3600)
        if counters._engine.dialect.name == "postgresql":  # it hears of what is given up a moment later
            await until_it_holds(partial(_none_waits_at, make_engine()))

    assert await add(TableCounters(make_engine(), TABLE), "a", 3600) == 8, "what was given up is not counted later"
    counters._timeout_seconds = PATIENCE
    assert await add(counters, "a", 3600) == 9


async def _none_waits_at(engine: AsyncEngine) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with engine.connect() as connection:
        return not (await connection.execute(text(waiting))).scalar_one()


async def test_many_expired_rows_are_deleted_as_fast_as_attackers_make_them(make_engine: MakeEngine) -> None:
    engine = make_engine()
    counters = TableCounters(engine, TABLE)
    old = [{"key": f"old{number}", "hits": 1, "expires_at": 1} for number in range(1500)]
    async with engine.begin() as connection:
        await connection.execute(TABLE.insert(), old)

    counters._next_purge = 0.0
    for left in (501, 1):
        await add(counters, "new", 3600)
        assert await rows(engine) == left
        counters._next_purge -= 1


async def test_a_purge_that_fails_takes_no_count_away(make_engine: MakeEngine) -> None:
    engine = make_engine()
    counters = TableCounters(engine, TABLE)

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def refuse(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "DELETE" in statement:
            raise OSError

    counters._next_purge = 0.0
    assert await add(counters, "a", 3600) == 1


async def test_purges_and_counts_of_several_processes_do_not_disturb_each_other(make_engine: MakeEngine) -> None:
    tables = [TableCounters(make_engine(), TABLE) for _ in range(2)]
    for number in range(40):
        await add(tables[0], f"over-{number}", -1, 1)

    counts = [add(tables[number % 2], "a", 3600, 1) for number in range(20)]
    again = [add(tables[number % 2], f"over-{number}", 3600, 1) for number in range(20)]
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

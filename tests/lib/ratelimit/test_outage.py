"""Counters out of reach: a Valkey that is stopped, one that never answers, a database without the table."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import create_async_engine

from app.lib.ratelimit.counters import Count, TableCounters, rate_limit_table
from app.lib.ratelimit.limiter import Limit, NamedLimit, RateLimiter, WhenDown
from app.lib.ratelimit.redis import RedisCounters
from tests.support.valkey import Valkey, running_valkey

pytestmark = pytest.mark.usefixtures("clock")

GENERAL = NamedLimit("default", Limit(3, 3600), WhenDown.ALLOW)
SIGN_IN = NamedLimit("login", Limit(3, 3600))


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with running_valkey() as valkey:
        yield valkey


@pytest.fixture
async def counters(valkey: Valkey) -> AsyncIterator[RedisCounters]:
    counters = RedisCounters(valkey.url)
    yield counters
    await counters.close()


async def allowed_of(limiter: RateLimiter, limit: NamedLimit, hits: int) -> int:
    return sum([(await limiter.hit(limit, "a")).allowed for _ in range(hits)])


async def test_the_general_limit_opens_and_the_others_count_in_this_process(
    valkey: Valkey, counters: RedisCounters
) -> None:
    limiter = RateLimiter(counters)
    valkey.stop()

    assert await allowed_of(limiter, GENERAL, 10) == 10
    assert await allowed_of(limiter, SIGN_IN, 10) == 3

    for _ in range(8):
        await limiter.give_back([(SIGN_IN, "a")])
    assert (await limiter.hit(SIGN_IN, "a")).remaining == 0
    await limiter.give_back([], forgotten=[(SIGN_IN, "a")])
    assert (await limiter.hit(SIGN_IN, "a")).remaining == 2


async def test_an_outage_is_logged_once_and_its_end_once(
    valkey: Valkey, counters: RedisCounters, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="app.lib.ratelimit")
    limiter = RateLimiter(counters, retry_seconds=0)
    assert await allowed_of(limiter, SIGN_IN, 2) == 2

    valkey.stop()
    for _ in range(5):
        await limiter.hit(SIGN_IN, "a")
        await limiter.give_back([(SIGN_IN, "b")])
    valkey.start()
    assert (await limiter.hit(SIGN_IN, "a")).remaining == 2  # the new server has forgotten, so this is its first
    assert (await limiter.hit(SIGN_IN, "a")).remaining == 1

    assert [record.message.split(":")[0] for record in caplog.records] == [
        "rate limit counters are out of reach",
        "rate limit counters are back",
    ]


async def test_giving_back_notices_that_an_outage_is_over(
    valkey: Valkey, counters: RedisCounters, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="app.lib.ratelimit")
    limiter = RateLimiter(counters, retry_seconds=0)
    valkey.stop()
    await limiter.give_back([(SIGN_IN, "a")])
    valkey.start()
    await limiter.give_back([(SIGN_IN, "a")])

    assert caplog.messages[-1] == "rate limit counters are back"


async def test_a_server_that_never_answers_is_asked_once() -> None:
    connections = 0

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    counters = RedisCounters(f"redis://127.0.0.1:{port}/0", timeout_seconds=0.05)
    async with server:
        limiter = RateLimiter(counters, retry_seconds=600)
        assert await allowed_of(limiter, SIGN_IN, 10) == 3
        await counters.close()

    assert connections == 1


async def test_after_the_pause_one_hit_at_a_time_asks_again(
    counters: RedisCounters, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ask = counters.add

    async def add(counts: Sequence[Count]) -> list[int]:
        asked.extend(count.key for count in counts)
        return await ask(counts)

    monkeypatch.setattr(counters, "add", add)
    limiter = RateLimiter(counters, retry_seconds=600)
    valkey.stop()
    await limiter.hit(SIGN_IN, "a")
    limiter._retry_at = 0.0

    await asyncio.gather(*(limiter.hit(SIGN_IN, "a") for _ in range(3)))

    assert len(asked) == 2


async def test_a_database_without_the_table_is_an_outage_too(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    counters = TableCounters(engine, rate_limit_table(MetaData()))
    limiter = RateLimiter(counters)

    assert await allowed_of(limiter, SIGN_IN, 10) == 3
    await engine.dispose()

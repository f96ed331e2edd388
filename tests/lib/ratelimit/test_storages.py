"""What every storage must do alike; each test runs on memory, Valkey, SQLite and PostgreSQL."""

import asyncio
import time
from collections.abc import Callable

import pytest
import time_machine
from limits.aio.storage import Storage

from app.lib.ratelimit.limiter import RateLimiter
from app.lib.ratelimit.policy import Limit, NamedLimit, Verdict

MakeStorage = Callable[[], Storage]
TEN = NamedLimit("ten", Limit(10, 3600))
OTHER = NamedLimit("other", Limit(10, 3600))


async def test_the_interface_of_limits(make_storage: MakeStorage) -> None:
    storage = make_storage()

    assert await storage.check() is True
    assert await storage.get("a") == 0
    assert await storage.incr("a", 60) == 1
    assert await storage.incr("a", 60, amount=4) == 5
    assert await storage.incr("a", 60, amount=-2) == 3
    assert await storage.incr("b", 60) == 1
    assert await storage.get("a") == 3
    assert 50 < await storage.get_expiry("a") - time.time() <= 61
    await storage.clear("a")
    assert await storage.get("a") == 0
    assert await storage.reset() == 1
    assert await storage.get("b") == 0


async def test_parallel_hits_never_exceed_the_limit(make_storage: MakeStorage) -> None:
    limiter = RateLimiter(make_storage())

    verdicts = await asyncio.gather(*(limiter.hit(TEN, "a") for _ in range(100)))

    assert sum(verdict.allowed for verdict in verdicts) == 10
    assert sorted(verdict.remaining for verdict in verdicts if verdict.allowed) == list(range(10))


async def test_two_processes_share_one_limit(make_storage: MakeStorage) -> None:
    one, two = RateLimiter(make_storage()), RateLimiter(make_storage())

    verdicts = await asyncio.gather(*(limiter.hit(TEN, "a") for _ in range(50) for limiter in (one, two)))

    assert sum(verdict.allowed for verdict in verdicts) == 10


async def test_limits_and_keys_have_counters_of_their_own(make_storage: MakeStorage) -> None:
    limiter = RateLimiter(make_storage())
    await limiter.hit(TEN, "a", cost=10)

    assert not (await limiter.hit(TEN, "a")).allowed
    assert (await limiter.hit(TEN, "b")).remaining == 9
    assert (await limiter.hit(OTHER, "a")).remaining == 9


async def test_testing_counts_nothing(make_storage: MakeStorage) -> None:
    limiter = RateLimiter(make_storage())
    await limiter.hit(TEN, "a", cost=8)

    assert (await limiter.test(TEN, "a", cost=2)).allowed
    assert not (await limiter.test(TEN, "a", cost=3)).allowed
    assert (await limiter.test(TEN, "a")).remaining == 2


async def test_what_was_counted_can_be_given_back_and_cleared(make_storage: MakeStorage) -> None:
    limiter = RateLimiter(make_storage())
    await limiter.hit(TEN, "a", cost=10)

    await limiter.give_back(TEN, "a", cost=3)
    assert (await limiter.test(TEN, "a")).remaining == 3
    await limiter.clear(TEN, "a")
    assert (await limiter.hit(TEN, "a")).remaining == 9


@pytest.mark.parametrize("key", ["x" * 500, "né\x00e", "\ud800", "a b:c/d", ""])
async def test_any_text_is_a_key(make_storage: MakeStorage, key: str) -> None:
    limiter = RateLimiter(make_storage())

    assert (await limiter.hit(TEN, key)).remaining == 9
    assert (await limiter.hit(TEN, key)).remaining == 8


async def test_a_window_ends_when_it_said(make_storage: MakeStorage) -> None:
    limiter = RateLimiter(make_storage())
    with time_machine.travel(time.time(), tick=False) as clock:
        full = await limiter.hit(TEN, "a", cost=10)
        refused = await limiter.hit(TEN, "a")
        assert refused == Verdict(TEN, allowed=False, remaining=0, reset_after_seconds=full.reset_after_seconds)
        assert 1 <= full.reset_after_seconds <= 3600

        clock.shift(full.reset_after_seconds)
        fresh = await limiter.hit(TEN, "a")
        assert fresh.remaining == 9
        assert 3599 <= fresh.reset_after_seconds <= 3600

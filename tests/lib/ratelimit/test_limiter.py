from app.lib.ratelimit.limiter import RateLimiter
from app.lib.ratelimit.memory import MemoryCounters
from app.lib.ratelimit.policy import Limit, NamedLimit, Verdict

ONE = NamedLimit("one", Limit(1, 60))


async def test_switched_off_it_allows_everything_and_counts_nothing() -> None:
    counters = MemoryCounters()
    limiter = RateLimiter(counters, enabled=False)

    for _ in range(3):
        assert (await limiter.hit(ONE, "a")).allowed
        assert (await limiter.test(ONE, "a")).allowed
    await limiter.give_back(ONE, "a")
    await limiter.clear(ONE, "a")
    assert len(counters) == 0


async def test_every_hit_is_observed() -> None:
    seen: list[Verdict] = []
    limiter = RateLimiter(MemoryCounters(), observe=seen.append)

    verdicts = [await limiter.hit(ONE, "a"), await limiter.hit(ONE, "a")]
    await limiter.test(ONE, "a")

    assert seen == verdicts
    assert [verdict.allowed for verdict in seen] == [True, False]


async def test_keys_do_not_all_start_afresh_at_once() -> None:
    limiter = RateLimiter(MemoryCounters())
    hour = NamedLimit("hour", Limit(5, 3600))

    assert len({(await limiter.hit(hour, str(number))).reset_after_seconds for number in range(50)}) > 25

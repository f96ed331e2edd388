import time

import time_machine

from app.lib.ratelimit.memory import MemoryCounters


async def test_a_window_ends_and_the_next_starts_at_nothing() -> None:
    counters = MemoryCounters()
    with time_machine.travel(1_000_000.0, tick=False) as clock:
        assert await counters.incr("a", 60, 3) == 3
        assert await counters.get_expiry("a") == 1_000_060.0
        clock.shift(59)
        assert await counters.get("a") == 3
        clock.shift(1)
        assert await counters.get("a") == 0
        assert await counters.get_expiry("a") == time.time()
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

"""What is kept for a moment, and when it is not."""

import asyncio

import pytest

import app.lib.recent as recent_module
from app.lib.recent import Recent


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 50.0

    def monotonic(self) -> float:
        return self.now


class Source:
    """Counts how often it is read."""

    def __init__(self, value: str | None = "value") -> None:
        self.value = value
        self.reads = 0

    async def read(self) -> str | None:
        self.reads += 1
        return self.value


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(recent_module, "time", clock)
    return clock


async def test_a_value_is_read_once_until_its_time_is_over(clock: Clock) -> None:
    recent, source = Recent(1.0, 100), Source()
    reads = []
    for step in (0, 0.5, 0.49, 0.01, 0):
        clock.now += step
        assert await recent.get("key", source.read, len) == "value"
        reads.append(source.reads)

    assert reads == [1, 1, 1, 2, 2]


async def test_its_time_begins_with_the_reading(clock: Clock) -> None:
    recent, source = Recent(1.0, 100), Source()

    async def slowly() -> str | None:
        clock.now += 0.9
        return await source.read()

    await recent.get("key", slowly, len)
    clock.now += 0.1
    await recent.get("key", source.read, len)

    assert source.reads == 2


async def test_absence_is_asked_about_each_time() -> None:
    recent, source = Recent(1.0, 100), Source(None)
    for _ in range(2):
        assert await recent.get("key", source.read, len) is None

    assert source.reads == 2


async def test_what_was_being_read_when_all_was_forgotten_is_not_kept() -> None:
    recent, source = Recent(10.0, 100), Source("old")
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> str:
        value = str(await source.read())
        begun.set()
        await go_on.wait()
        return value

    reading = asyncio.create_task(recent.get("key", slowly, lambda value: len(value or "")))
    await begun.wait()
    source.value = "new"
    recent.forget()
    go_on.set()

    assert await reading == "old"
    assert await recent.get("key", source.read, len) == "new"


async def test_one_key_may_be_forgotten() -> None:
    recent, source = Recent(10.0, 8), Source("four")
    for key in ("a", "b"):
        await recent.get(key, source.read, len)
    recent.forget("a", "never there")
    for key, reads in (("b", 2), ("a", 3), ("b", 3)):
        await recent.get(key, source.read, len)
        assert source.reads == reads


async def test_what_was_being_read_is_not_kept_whichever_key_was_forgotten() -> None:
    recent, source = Recent(10.0, 100), Source()

    async def while_another_goes() -> str | None:
        recent.forget("another")
        return await source.read()

    await recent.get("key", while_another_goes, len)
    await recent.get("key", source.read, len)

    assert source.reads == 2


async def test_the_oldest_go_when_there_is_no_room() -> None:
    recent, source = Recent(10.0, 10), Source("four")
    for key in ("a", "b", "c"):
        await recent.get(key, source.read, len)
    assert source.reads == 3
    for key, reads in (("c", 3), ("b", 3), ("a", 4)):
        await recent.get(key, source.read, len)
        assert source.reads == reads


async def test_what_is_too_large_is_not_kept() -> None:
    recent, source = Recent(10.0, 3), Source("four")
    for _ in range(2):
        assert await recent.get("key", source.read, len) == "four"

    assert source.reads == 2

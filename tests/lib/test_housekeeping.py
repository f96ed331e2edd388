import asyncio

import pytest
from structlog.testing import capture_logs

from app.lib.housekeeping import housekeeping
from tests.support.waiting import until


def tasks() -> set[asyncio.Task[object]]:
    """Those of housekeeping; the shared app has one of its own."""
    return {task for task in asyncio.all_tasks() if task.get_name() == "housekeeping"}


async def test_chores_are_done_in_turn_again_and_again() -> None:
    done: list[str] = []

    async def sweep() -> None:
        done.append("sweep")

    async def dust() -> None:
        done.append("dust")

    async with housekeeping({"sweep": sweep, "dust": dust}, 0.001):
        await until(lambda: len(done) >= 6)

    assert done[:6] == ["sweep", "dust"] * 3


async def test_a_failing_chore_is_told_and_holds_nobody_up() -> None:
    done: list[str] = []

    async def fail() -> None:
        raise OSError("hunter2")

    async def dust() -> None:
        done.append("dust")

    with capture_logs() as captured:
        async with housekeeping({"fail": fail, "dust": dust}, 0.001):
            await until(lambda: len(done) >= 3)

    assert captured[0] == {"event": "housekeeping.failed", "log_level": "warning", "chore": "fail", "error": "OSError"}
    assert len(captured) >= 3


async def test_the_end_interrupts_a_chore_and_waits_for_its_clean_up() -> None:
    before = tasks()
    started, cleaned = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        started.set()
        try:
            await asyncio.sleep(600)
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    async with housekeeping({"endless": endless}, 0.001):
        await started.wait()

    assert cleaned.is_set()
    assert tasks() == before


async def test_nothing_happens_at_once_and_the_end_does_not_wait_for_the_next_round() -> None:
    done: list[str] = []

    async def sweep() -> None:
        done.append("sweep")

    async with asyncio.timeout(5), housekeeping({"sweep": sweep}, 3600):
        await asyncio.sleep(0)

    assert done == []


async def test_it_ends_with_the_block_that_fails() -> None:
    async def fail_inside() -> None:
        async with housekeeping({}, 3600):
            raise RuntimeError

    before = tasks()
    with pytest.raises(RuntimeError):
        await fail_inside()
    assert tasks() == before

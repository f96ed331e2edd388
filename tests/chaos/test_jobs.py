"""Many jobs, and workers that are killed while they run them. Prints what it measured."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest

from app.lib.jobs import JobContext, enqueue, enqueue_many, job
from tests.chaos.conftest import Tell
from tests.lib.jobs.bench import Bench, Diary, Note
from tests.lib.jobs.process import work
from tests.support.waiting import until, until_it_holds

ROOT = Path(__file__).parents[2]
QUEUED = 10_000
KILLS = 10


@job("test.note", Note)
async def take_note(note: Note, context: JobContext) -> None:
    context.service(Diary).write(note, context)


async def rate(count: int, work_: Awaitable[object]) -> str:
    started = time.perf_counter()
    await work_
    return f"{count / (time.perf_counter() - started):,.0f}/s"


@pytest.mark.parametrize("workers", [1, 3])
async def test_ten_thousand_queued_jobs_drain(bench: Bench, tell: Tell, workers: int) -> None:
    async def one_by_one(count: int) -> None:
        for number in range(count):
            async with bench.database.independent() as unit:
                await enqueue(unit, take_note, Note(str(number)))

    async def in_bulk(first: int) -> None:
        async with bench.database.independent() as unit:
            await enqueue_many(unit, [(take_note, Note(str(number))) for number in range(first, QUEUED)])

    async def drain() -> None:
        async with AsyncExitStack() as stack:
            for _ in range(workers):
                await stack.enter_async_context(bench.worker(take_note, elsewhere=True))
            await until(lambda: len(bench.outcomes) >= QUEUED, 300)

    tell(f"enqueued {await rate(500, one_by_one(500))} one by one, {await rate(QUEUED - 500, in_bulk(500))} in bulk")
    tell(f"drained {QUEUED:,} by {workers} workers: {await rate(QUEUED, drain())}")

    assert sorted(bench.diary.texts, key=int) == [str(number) for number in range(QUEUED)]
    assert {row.status for row in await bench.rows()} == {"succeeded"}


@pytest.fixture
def start(bench: Bench, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts worker processes whose job writes a line to ``ran``."""
    url = bench.database.url.url.render_as_string(hide_password=False)
    with ExitStack() as stack:

        def begin() -> subprocess.Popen[bytes]:
            command = [sys.executable, "-m", "tests.lib.jobs.process", url, str(tmp_path), "5"]
            process = stack.enter_context(subprocess.Popen(command, cwd=ROOT))  # noqa: S603 - our own command
            stack.callback(process.kill)
            return process

        yield begin


async def test_workers_that_are_killed_again_and_again_lose_nothing(
    bench: Bench, start: Callable[[], subprocess.Popen[bytes]], tmp_path: Path, tell: Tell
) -> None:
    total = 1_000
    ran = tmp_path / "ran"
    async with bench.database.independent() as unit:
        await enqueue_many(unit, [(work, Note(f"0.{1000 + number}")) for number in range(total)])
    processes = [start() for _ in range(3)]
    await until(ran.exists, 60)

    for _ in range(KILLS):
        victim = processes.pop(random.randrange(3))  # noqa: S311 - any of them
        victim.send_signal(signal.SIGKILL)
        processes.append(start())
        await asyncio.sleep(1.5)

    async def all_are_done() -> bool:
        return {row.status for row in await bench.rows()} == {"succeeded"}

    await until_it_holds(all_are_done, 240)
    times = Counter(line.split()[1] for line in ran.read_text().splitlines())
    repeats = sum(times.values()) - total
    tell(f"{KILLS} workers killed, {total} jobs done, {repeats} repeated, {max(times.values())} times at most")
    assert len(times) == total
    assert repeats <= KILLS * 8

"""Workers that go away, with warning and without."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.lib.jobs import JobContext, enqueue, enqueue_many, job
from app.lib.jobs.queue import MAX_LOSSES
from app.lib.jobs.worker import WorkerOptions
from tests.lib.jobs.bench import Bench, Diary, Note
from tests.lib.jobs.process import work
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
PROMISE = 15.0
"""Seconds after which the jobs of a worker that was killed run again."""


class Workers:
    """Worker processes on the bench's database."""

    def __init__(self, bench: Bench, folder: Path, stack: ExitStack) -> None:
        self._url = bench.database.url.url.render_as_string(hide_password=False)
        self._folder = folder
        self._stack = stack

    def start(self, *, drain_seconds: float = 0.0) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.lib.jobs.process", self._url, str(self._folder), str(drain_seconds)]
        process = self._stack.enter_context(subprocess.Popen(command, cwd=ROOT))  # noqa: S603 - our own command
        self._stack.callback(process.kill)
        return process

    def ran(self) -> list[int]:
        """The processes that began to run a job, one after another."""
        file = self._folder / "ran"
        return [int(line.split()[0]) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def workers(bench: Bench, tmp_path: Path) -> Iterator[Workers]:
    with ExitStack() as stack:
        yield Workers(bench, tmp_path, stack)


def test_the_jobs_of_a_killed_worker_are_taken_back_in_time() -> None:
    options = WorkerOptions()

    assert options.beat_seconds + options.stale_seconds + 2 * options.poll_seconds <= PROMISE


async def test_after_kill_9_the_job_runs_again(
    bench: Bench, workers: Workers, capfd: pytest.CaptureFixture[str]
) -> None:
    async with bench.database.independent() as unit:
        job_id = await enqueue(unit, work, Note("600"))
    first = workers.start()
    await until(lambda: workers.ran() == [first.pid])
    second = workers.start()

    first.send_signal(signal.SIGKILL)
    await until(lambda: workers.ran() == [first.pid, second.pid])

    row = await bench.row(job_id)
    assert (row.status, row.attempts, row.losses) == ("running", 1, 1)
    said = capfd.readouterr().out
    assert [said.count(event) for event in ("jobs.found_running", "jobs.taken_back")] == [1, 1]


async def test_on_sigterm_running_jobs_finish(bench: Bench, workers: Workers) -> None:
    async with bench.database.independent() as unit:
        job_id = await enqueue(unit, work, Note("1"))
    process = workers.start(drain_seconds=30)
    await until(lambda: workers.ran() == [process.pid])

    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.wait, 60)

    assert process.returncode == 0
    assert (await bench.row(job_id)).status == "succeeded"


async def test_on_sigterm_what_does_not_finish_is_handed_back(bench: Bench, workers: Workers) -> None:
    async with bench.database.independent() as unit:
        job_id = await enqueue(unit, work, Note("600"))
        await enqueue_many(unit, [(work, Note("600"))] * 20)
    process = workers.start()
    await until(lambda: len(workers.ran()) == 6)  # of eight places

    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.wait, 60)

    row = await bench.row(job_id)
    assert process.returncode == 0
    assert (row.status, row.attempts, row.losses, row.claim) == ("pending", 0, 0, None)
    assert {row.status for row in await bench.rows()} == {"pending"}


@job("test.note", Note)
async def take_note(note: Note, context: JobContext) -> None:
    diary = context.service(Diary)
    diary.write(note, context)
    await diary.go_on.wait()


async def test_a_job_that_loses_every_worker_is_dead_at_last(bench: Bench) -> None:
    async with bench.database.independent() as unit:
        job_id = await enqueue(unit, take_note, Note("x"))
    await bench.change(job_id, status="running", claim=job_id, attempts=1, losses=MAX_LOSSES - 1)

    async with bench.worker(take_note, poll_seconds=0.05, stale_seconds=0.5):
        row = await bench.until(job_id, "failed")

    assert (row.error_kind, row.losses) == ("WorkerLost", MAX_LOSSES)
    assert bench.diary.texts == []


async def test_a_worker_that_was_taken_for_dead_lets_go(bench: Bench) -> None:
    """Its result must not count, because another worker runs the job by now."""
    bench.diary.go_on.clear()
    async with bench.worker(take_note, beat_seconds=0.05, elsewhere=True):
        async with bench.database.independent() as unit:
            job_id = await enqueue(unit, take_note, Note("x"))
        await bench.until(job_id, "running")
        await bench.change(job_id, claim=job_id)

        await until(lambda: not any(task.get_name() == "job test.note" for task in asyncio.all_tasks()))
        bench.diary.go_on.set()

    row = await bench.row(job_id)
    assert (row.status, row.claim, bench.outcomes) == ("running", job_id, [])


async def test_what_a_worker_could_not_write_is_written_later(bench: Bench) -> None:
    """The database is away when the job ends, and comes back."""
    bench.diary.go_on.clear()
    async with bench.worker(take_note, beat_seconds=0.05, elsewhere=True) as worker:
        async with bench.database.independent() as unit:
            job_id = await enqueue(unit, take_note, Note("x"))
        await bench.until(job_id, "running")
        async with bench.database.engine.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE jobs RENAME TO jobs_elsewhere")
        bench.diary.go_on.set()
        await until(lambda: worker.failures > 1)
        async with bench.database.engine.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE jobs_elsewhere RENAME TO jobs")

        await bench.until(job_id, "succeeded")

    assert bench.diary.texts == ["x"]

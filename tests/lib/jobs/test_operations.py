import asyncio

from app.lib.db.instants import database_now
from app.lib.db.statements import BATCH
from app.lib.jobs import JobContext, JobStatus, enqueue, enqueue_many, job
from app.lib.jobs.operations import JobOperations
from tests.lib.jobs.bench import Bench, Diary, Note
from tests.support.waiting import until


@job("test.note", Note)
async def take_note(note: Note, context: JobContext) -> None:
    context.service(Diary).write(note, context)


@job("test.endless", Note, timeout=600)
async def endless(note: Note, context: JobContext) -> None:
    context.service(Diary).write(note, context)
    try:
        await asyncio.sleep(600)
    finally:
        context.service(Diary).write(Note("interrupted"), context)


async def test_a_running_job_that_is_cancelled_is_interrupted(bench: Bench) -> None:
    async with bench.worker(endless, take_note, beat_seconds=0.05, elsewhere=True):
        async with bench.database.independent() as unit:
            job_id = await enqueue(unit, endless, Note("begun"))
        await until(lambda: bench.diary.texts == ["begun"])
        async with bench.database.independent() as unit:
            assert await JobOperations(unit).cancel(job_id) if job_id else False
        await until(lambda: bench.diary.texts == ["begun", "interrupted"])
        async with bench.database.independent() as unit:
            other = await enqueue(unit, take_note, Note("next"))
        await bench.until(other, "succeeded")

    assert (await bench.row(job_id)).status == "cancelled"
    assert bench.outcomes == [("test.note", "succeeded")]


async def test_a_job_that_is_run_again_is_run_at_once(bench: Bench) -> None:
    async with bench.worker(take_note):
        async with bench.database.independent() as unit:
            job_id = await enqueue(unit, take_note, Note("x"), delay=3600)
            assert job_id is not None
            assert await JobOperations(unit).cancel(job_id)
            assert not await JobOperations(unit).cancel(job_id)
        async with bench.database.independent() as unit:
            assert await JobOperations(unit).retry(job_id)
        await bench.until(job_id, "succeeded")
        async with bench.database.independent() as unit:
            assert not await JobOperations(unit).retry(job_id)


async def test_purging_takes_a_batch_at_a_time_and_only_what_is_old(bench: Bench) -> None:
    async with bench.database.independent() as unit:
        await enqueue_many(unit, [(take_note, Note())] * (BATCH + 1))
        await JobOperations(unit)._change([], status="succeeded", finished_at=database_now())
    async with bench.database.independent() as unit:
        operations = JobOperations(unit)
        assert await operations.purge([JobStatus.SUCCEEDED], 3600) == 0
        assert await operations.purge([JobStatus.FAILED], -3600) == 0
        assert await operations.purge([JobStatus.SUCCEEDED], -3600) == BATCH
        assert await operations.purge([JobStatus.SUCCEEDED], -3600) == 1

"""Clocks that jump: no job is stuck, and no schedule runs twice."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from app.lib.jobs import Cron, Every, JobContext, Retry, enqueue, job
from tests.lib.jobs.bench import Bench, Diary, Note
from tests.support.waiting import until, until_it_holds

JUMPS = pytest.mark.parametrize("hours", [-1, 1], ids=["back", "forth"])


@job("test.note", Note)
async def take_note(note: Note, context: JobContext) -> None:
    diary = context.service(Diary)
    diary.write(note, context)
    await diary.go_on.wait()


@JUMPS
async def test_no_job_is_lost_by_a_jump(bench: Bench, hours: int) -> None:
    """After a step back it waits until the clock has come by again."""
    async with bench.database.independent() as unit:
        job_id = await enqueue(unit, take_note, Note("x"))
    await bench.set_clock(hours)
    async with bench.worker(take_note, poll_seconds=0.05):
        await bench.set_clock(-min(hours, 0))
        await bench.until(job_id, "succeeded")

    assert bench.diary.texts == ["x"]


@JUMPS
async def test_a_living_worker_keeps_its_job_through_a_jump(bench: Bench, hours: int) -> None:
    bench.diary.go_on.clear()
    options = {"poll_seconds": 0.05, "beat_seconds": 0.1, "stale_seconds": 1.0}
    async with (
        bench.worker(take_note, elsewhere=True, **options),
        bench.worker(take_note, elsewhere=True, **options),
    ):
        async with bench.database.independent() as unit:
            job_id = await enqueue(unit, take_note, Note("x"))
        await bench.until(job_id, "running")
        await bench.set_clock(hours)
        beats = (await bench.row(job_id)).beats

        async def has_beaten_on() -> bool:
            return (await bench.row(job_id)).beats >= beats + 20

        await until_it_holds(has_beaten_on)
        bench.diary.go_on.set()
        row = await bench.until(job_id, "succeeded")

    assert (row.attempts, row.losses) == (1, 0)
    assert bench.diary.texts == ["x"]


@JUMPS
async def test_what_a_lost_worker_ran_runs_again_through_a_jump(bench: Bench, hours: int) -> None:
    async with bench.database.independent() as unit:
        job_id = await enqueue(unit, take_note, Note("x"))
    await bench.change(job_id, status="running", claim=job_id, attempts=1)
    await bench.set_clock(hours)

    async with bench.worker(take_note, poll_seconds=0.05, stale_seconds=0.5):
        row = await bench.until(job_id, "succeeded")

    assert (row.attempts, row.losses) == (1, 1)


@JUMPS
async def test_the_clock_of_a_process_does_not_matter(bench: Bench, hours: int) -> None:
    @job("test.retried", Note, retry=Retry(first_delay=0.1, jitter=0))
    async def retried(note: Note, context: JobContext) -> None:
        context.service(Diary).write(note, context)
        if context.attempt == 1:
            raise ValueError

    with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours)):
        async with bench.database.independent() as unit:
            await enqueue(unit, retried, Note("a"))
    async with bench.worker(retried, elsewhere=True):
        await bench.until_all("succeeded")
    async with bench.database.independent() as unit:
        await enqueue(unit, retried, Note("b"))
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours)):
        async with bench.worker(retried, elsewhere=True):
            await bench.until_all("succeeded")

    assert bench.diary.texts == ["a", "a", "b", "b"]


@job("test.hourly", Note, schedule=Cron("30 * * * *"))
async def hourly(note: Note, context: JobContext) -> None:
    context.service(Diary).write(note, context)


@job("test.often", Note, schedule=Every(1000))
async def often(note: Note, context: JobContext) -> None:
    context.service(Diary).write(note, context)


async def is_within(bench: Bench, name: str, time: timedelta) -> bool:
    """Whether the next run of a schedule is no further away."""
    plan = (await bench.plans())[name]
    return plan.next_at - plan.now <= time


async def test_an_instant_of_a_schedule_comes_once_though_the_clock_comes_by_again(bench: Bench) -> None:
    async with bench.worker(hourly, poll_seconds=0.05) as worker:
        await until(lambda: worker._declared)
        await bench.set_clock(1)  # over half past
        await until(lambda: len(bench.diary.texts) == 1)
        await bench.until_all("succeeded")
        await bench.set_clock(-1)  # and over it again, in an hour's time
        planned = await bench.plans()
        await bench.set_clock(0.99)
        await bench.looked(worker)

    plan = planned["test.hourly"]
    assert plan.last_at is not None
    assert plan.next_at - plan.last_at == timedelta(hours=1)
    assert plan.next_at - plan.now > timedelta(hours=1)
    assert len(bench.diary.texts) == 1


async def test_an_interval_is_planned_again_when_the_clock_goes_back(bench: Bench) -> None:
    async with bench.worker(often, poll_seconds=0.05) as worker:
        await until(lambda: worker._declared)
        await bench.set_clock(-1)
        await until_it_holds(lambda: is_within(bench, "test.often", timedelta(seconds=1000)))

    assert bench.diary.texts == []


async def test_a_clock_that_was_wrong_by_years_holds_no_schedule_up_for_years(bench: Bench) -> None:
    async with bench.worker(hourly, poll_seconds=0.05) as worker:
        await until(lambda: worker._declared)
        await bench.set_clock(-24 * 365)
        await until_it_holds(lambda: is_within(bench, "test.hourly", timedelta(hours=1)))

    assert bench.diary.texts == []

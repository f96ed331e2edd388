from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cronsim import CronSimError

from app.lib.jobs import Cron, Every, JobContext, NoPayload, job
from tests.lib.jobs.bench import Bench, Diary, Note
from tests.support.waiting import until


@job("test.every", Note, schedule=Every(2000))
async def every(note: Note, context: JobContext) -> None:
    diary = context.service(Diary)
    diary.write(note, context)
    await diary.go_on.wait()


def test_cron_is_in_utc_and_strictly_later() -> None:
    half_past_three = datetime(2026, 3, 29, 3, 30, tzinfo=UTC)

    assert Cron("30 3 * * *").next_after(half_past_three) == half_past_three + timedelta(days=1)
    assert Cron("*/15 * * * *").next_after(half_past_three) == half_past_three + timedelta(minutes=15)


def test_what_is_no_cron_expression_is_refused_when_it_is_declared() -> None:
    with pytest.raises(CronSimError):
        Cron("61 * * * *")


def test_a_scheduled_job_needs_a_payload_that_can_be_made_of_payload() -> None:
    class Needy(msgspec.Struct):
        other: int

    with pytest.raises(TypeError, match="needs a default"):

        @job("test.needy", Needy, schedule=Every(1))
        async def needy(_note: Needy, _context: JobContext) -> None: ...


async def test_a_schedule_fires_once_with_three_workers(bench: Bench) -> None:
    async with AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(bench.worker(every, elsewhere=True, poll_seconds=0.05)) for _ in range(3)
        ]
        await until(lambda: all(worker._declared for worker in workers))
        for round_ in range(1, 6):
            await bench.set_clock(1)  # longer than the interval, shorter than two
            await until(lambda expected=round_: len(bench.diary.texts) == expected)  # type: ignore[misc]  # bound now
            await bench.until_all("succeeded")
            for worker in workers:
                await bench.looked(worker)

        assert len(await bench.rows()) == 5
    assert len(bench.diary.texts) == 5


async def test_what_was_missed_is_made_up_for_once(bench: Bench) -> None:
    async with bench.worker(every, poll_seconds=0.05) as worker:
        await until(lambda: worker._declared)
    await bench.set_clock(10)
    async with bench.worker(every, poll_seconds=0.05) as worker:
        await bench.until_all("succeeded")
        await bench.looked(worker)

    assert len(await bench.rows()) == 1


async def test_a_run_that_is_not_over_is_not_joined_by_the_next(bench: Bench) -> None:
    bench.diary.go_on.clear()
    async with bench.worker(every, poll_seconds=0.05) as worker:
        await until(lambda: worker._declared)
        for _ in range(3):
            await bench.set_clock(1)
            while (plan := (await bench.plans())["test.every"]).next_at <= plan.now:
                await bench.looked(worker)
        assert len(await bench.rows()) == 1
        bench.diary.go_on.set()
        await bench.until_all("succeeded")


async def test_a_schedule_that_was_changed_is_planned_again(bench: Bench) -> None:
    def declared(schedule: Every) -> object:
        @job("test.changing", NoPayload, schedule=schedule)
        async def changing(_payload: NoPayload, _context: JobContext) -> None: ...

        return changing

    for seconds in (5000, 100, 100):
        async with bench.worker(declared(Every(seconds))) as worker:  # type: ignore[arg-type]  # a job
            await until(lambda ready=worker: ready._declared)  # type: ignore[misc]  # bound now
            plan = (await bench.plans())["test.changing"]
        assert timedelta(seconds=seconds - 60) < plan.next_at - plan.now <= timedelta(seconds=seconds)


@pytest.mark.parametrize(("done", "ending"), [(0, "idle"), (2, "succeeded"), (None, "succeeded")])
async def test_a_run_that_found_nothing_to_do_leaves_no_row(bench: Bench, done: int | None, ending: str) -> None:
    @job("test.counting", NoPayload, schedule=Every(0.05))
    async def counting(_payload: NoPayload, _context: JobContext) -> int | None:
        return done

    async with bench.worker(counting):
        await until(lambda: len(bench.outcomes) > 1)

    assert set(bench.outcomes) == {("test.counting", ending)}
    assert bool(await bench.rows(status="succeeded")) is (ending == "succeeded")

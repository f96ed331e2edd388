"""What the job module promises, in the words of its interface alone: another queue would have to pass it as well."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest
import structlog

from app.lib.jobs import ONCE, GiveUp, JobContext, Postpone, Retry, RetryLater, enqueue, enqueue_many, job, run_now
from app.lib.observability.logging import configure_logging
from app.lib.observability.repeats import WINDOW_SECONDS
from tests.lib.jobs.bench import Bench, Diary, Note
from tests.support.waiting import until

AT_ONCE = Retry(attempts=3, first_delay=0, jitter=0)


@job("test.note", Note)
async def take_note(note: Note, context: JobContext) -> None:
    context.service(Diary).write(note, context)


@job("test.other", Note, key=lambda note: note.text)
async def take_note_once(note: Note, context: JobContext) -> None:
    diary = context.service(Diary)
    await diary.go_on.wait()
    diary.write(note, context)


@job("test.stubborn", Note, retry=AT_ONCE)
async def fail_twice(note: Note, context: JobContext) -> None:
    context.service(Diary).write(note, context)
    if context.attempt < 3:
        raise ValueError("not yet")


@job("test.hopeless", Note, retry=AT_ONCE)
async def fail_always(note: Note, context: JobContext) -> None:
    context.service(Diary).write(note, context)
    raise ValueError("never")


async def test_a_committed_job_runs_once(bench: Bench) -> None:
    async with bench.worker(take_note):
        async with bench.database.independent() as unit:
            await enqueue(unit, take_note, Note("hello"))

        await bench.until_all("succeeded")

    assert bench.diary.texts == ["hello"]


async def test_a_rolled_back_job_leaves_nothing(bench: Bench) -> None:
    async with bench.worker(take_note):
        with suppress(ZeroDivisionError):
            async with bench.database.independent() as unit:
                await enqueue(unit, take_note, Note("never"))
                raise ZeroDivisionError
        async with bench.database.independent() as unit:
            await enqueue(unit, take_note, Note("after"))
        await bench.until_all("succeeded")

    assert bench.diary.texts == ["after"]


async def test_no_worker_sees_a_job_before_the_commit(bench: Bench) -> None:
    async with bench.worker(take_note) as worker:
        async with bench.database.independent() as unit:
            await enqueue(unit, take_note, Note("soon"))
            worker.wake()
            await asyncio.sleep(0.2)
            assert bench.diary.texts == []
        await until(lambda: bench.diary.texts == ["soon"])


async def test_a_worker_of_another_process_finds_the_job(bench: Bench) -> None:
    async with bench.worker(take_note, elsewhere=True):
        async with bench.database.independent() as unit:
            await enqueue(unit, take_note, Note("far"))

        await until(lambda: bench.diary.texts == ["far"])


async def test_a_job_enqueues_a_further_one_in_a_transaction_of_its_own(bench: Bench) -> None:
    @job("test.parent", Note, retry=ONCE)
    async def parent(note: Note, context: JobContext) -> None:
        async with context.unit() as unit:
            await enqueue(unit, take_note, Note(f"child of {note.text}"))

    async with bench.worker(parent, take_note):
        async with bench.database.independent() as unit:
            await enqueue(unit, parent, Note("ann"))
        await until(lambda: bench.diary.texts == ["child of ann"])


async def test_the_request_id_goes_into_the_logs_and_into_further_jobs(bench: Bench) -> None:
    seen: list[dict[str, object]] = []

    @job("test.parent", Note)
    async def parent(_note: Note, context: JobContext) -> None:
        seen.append(structlog.contextvars.get_contextvars())
        async with context.unit() as unit:
            await enqueue(unit, take_note, Note("child"))

    async with bench.worker(parent, take_note):
        with structlog.contextvars.bound_contextvars(request_id="request-0001"):
            async with bench.database.independent() as unit:
                job_id = await enqueue(unit, parent, Note())
        await until(lambda: bench.diary.texts == ["child"])

    assert seen == [{"request_id": "request-0001", "job": "test.parent", "job_id": str(job_id)}]
    assert bench.diary.contexts[0].request_id == "request-0001"


async def test_what_fails_is_tried_again(bench: Bench) -> None:
    async with bench.worker(fail_twice):
        async with bench.database.independent() as unit:
            job_id = await enqueue(unit, fail_twice, Note("x"))
        await bench.until(job_id, "succeeded")

    assert [(c.attempt, c.is_last_attempt) for c in bench.diary.contexts] == [(1, False), (2, False), (3, True)]
    assert bench.outcomes == [("test.stubborn", "retry"), ("test.stubborn", "retry"), ("test.stubborn", "succeeded")]


async def test_what_fails_to_the_end_is_kept_as_dead(bench: Bench) -> None:
    async with bench.worker(fail_always):
        async with bench.database.independent() as unit:
            job_id = await enqueue(unit, fail_always, Note("x"))
        row = await bench.until(job_id, "failed")

    assert (row.attempts, row.error_kind, row.error) == (3, "ValueError", "never")
    assert len(bench.diary.texts) == 3


async def test_jobs_that_fail_together_write_one_traceback_and_a_count(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    @job("test.outage", Note, retry=Retry(attempts=1))
    async def fail_as_all_do(note: Note, context: JobContext) -> None:
        raise ConnectionError("the other side is away")

    configure_logging("warning", "json")
    async with bench.worker(fail_as_all_do):
        async with bench.database.independent() as unit:
            await enqueue_many(unit, [(fail_as_all_do, Note(str(number))) for number in range(40)])
        await bench.until_all("failed")
        await asyncio.sleep(WINDOW_SECONDS + 0.2)

    lines = [msgspec.json.decode(line) for line in capsys.readouterr().out.splitlines() if '"job.failed"' in line]
    assert sum("exception" in line for line in lines) <= 2, "it may take more than a second"
    assert sum(line.get("repeated", 1) for line in lines) == 40


async def test_who_gives_up_is_not_asked_again(bench: Bench) -> None:
    @job("test.quitter", Note)
    async def quitter(note: Note, context: JobContext) -> None:
        context.service(Diary).write(note, context)
        raise GiveUp("no such address")

    async with bench.worker(quitter):
        async with bench.database.independent() as unit:
            job_id = await enqueue(unit, quitter, Note("x"))
        row = await bench.until(job_id, "failed")

    assert (row.error_kind, row.error) == ("GiveUp", "no such address")
    assert bench.diary.texts == ["x"]


async def test_a_job_may_say_when_to_try_again(bench: Bench) -> None:
    @job("test.busy", Note)
    async def busy(note: Note, context: JobContext) -> None:
        context.service(Diary).write(note, context)
        raise RetryLater(3600, "busy")

    async with bench.worker(busy):
        async with bench.database.independent() as unit:
            job_id = await enqueue(unit, busy, Note("x"))
        await until(lambda: bench.outcomes == [("test.busy", "retry")])
        row = await bench.until(job_id, "pending")

    assert row.run_at - row.created_at > timedelta(seconds=3600)


async def test_a_job_may_wait_for_its_turn_without_using_up_an_attempt(bench: Bench) -> None:
    @job("test.patient", Note, retry=ONCE)
    async def patient(note: Note, context: JobContext) -> None:
        context.service(Diary).write(note, context)
        if len(bench.diary.texts) < 3:
            raise Postpone(0.01)

    async with bench.worker(patient):
        async with bench.database.independent() as unit:
            job_id = await enqueue(unit, patient, Note("x"))
        row = await bench.until(job_id, "succeeded")

    assert (row.attempts, row.error_kind) == (1, None)
    assert [context.attempt for context in bench.diary.contexts] == [1, 1, 1]


async def test_a_waiting_job_can_be_run_now_by_its_key(bench: Bench) -> None:
    async with bench.worker(take_note_once):
        async with bench.database.independent() as unit:
            job_id = await enqueue(unit, take_note_once, Note("a"), delay=3600)
        async with bench.database.independent() as unit:
            assert await run_now(unit, take_note_once, "a")
            assert not await run_now(unit, take_note_once, "b")
        await bench.until(job_id, "succeeded")


async def test_a_job_that_takes_too_long_is_ended_and_tried_again(bench: Bench) -> None:
    @job("test.slow", Note, timeout=0.05, retry=Retry(attempts=2, first_delay=0))
    async def slow(note: Note, context: JobContext) -> None:
        context.service(Diary).write(note, context)
        await asyncio.sleep(60)

    async with bench.worker(slow):
        async with bench.database.independent() as unit:
            job_id = await enqueue(unit, slow, Note("x"))
        row = await bench.until(job_id, "failed")

    assert (row.attempts, row.error_kind) == (2, "TimedOut")
    assert bench.diary.texts == ["x", "x"]


async def test_a_payload_that_cannot_be_read_is_dead_and_no_loop(bench: Bench) -> None:
    async with bench.database.independent() as unit:
        job_id = await enqueue(unit, fail_twice, Note("x"))
    await bench.change(job_id, payload='{"text": 5}')

    async with bench.worker(fail_twice):
        row = await bench.until(job_id, "failed")

    assert (row.attempts, row.error_kind) == (1, "ValidationError")
    assert bench.diary.texts == []


async def test_what_a_job_waited_for_being_cancelled_is_a_failure(bench: Bench) -> None:
    @job("test.cancelled", Note, retry=ONCE)
    async def cancelled(_note: Note, _context: JobContext) -> None:
        raise asyncio.CancelledError

    async with bench.worker(cancelled):
        async with bench.database.independent() as unit:
            job_id = await enqueue(unit, cancelled, Note("x"))
        row = await bench.until(job_id, "failed")

    assert row.error_kind == "CancelledError"


async def test_a_delayed_job_waits(bench: Bench) -> None:
    async with bench.database.independent() as unit:
        late = await enqueue(unit, take_note, Note("late"), delay=3600)
        soon = await enqueue(unit, take_note, Note("soon"), delay=0.3)
    async with bench.worker(take_note):
        await bench.until(soon, "succeeded")

    assert bench.diary.texts == ["soon"]
    assert (await bench.row(late)).status == "pending"


async def test_a_key_is_taken_while_its_job_waits_or_runs(bench: Bench) -> None:
    bench.diary.go_on.clear()
    async with bench.worker(take_note_once):
        for expected in (1, 1, 1):
            async with bench.database.independent() as unit:
                await enqueue(unit, take_note_once, Note("a"))
            assert len(await bench.rows()) == expected
        async with bench.database.independent() as unit:
            assert await enqueue(unit, take_note_once, Note("b")) is not None
            assert await enqueue(unit, take_note_once, Note("a")) is None
            assert await enqueue(unit, take_note_once, Note("a"), key="another") is not None
        bench.diary.go_on.set()
        await bench.until_all("succeeded")
        async with bench.database.independent() as unit:
            assert await enqueue(unit, take_note_once, Note("a")) is not None
        await bench.until_all("succeeded")

    assert sorted(bench.diary.texts) == ["a", "a", "a", "b"]


async def test_many_at_once(bench: Bench) -> None:
    async with bench.worker(take_note, concurrency=4):
        async with bench.database.independent() as unit:
            await enqueue_many(unit, [(take_note, Note(str(i))) for i in range(700)])
        await bench.until_all("succeeded")

    assert sorted(bench.diary.texts, key=int) == [str(i) for i in range(700)]


async def test_three_workers_share_the_work_and_do_none_twice(bench: Bench) -> None:
    async with (
        bench.worker(take_note, elsewhere=True),
        bench.worker(take_note, elsewhere=True),
        bench.worker(take_note, elsewhere=True),
    ):
        async with bench.database.independent() as unit:
            await enqueue_many(unit, [(take_note, Note(str(i))) for i in range(300)])
        rows = await bench.until_all("succeeded")

    assert sorted(bench.diary.texts, key=int) == [str(i) for i in range(300)]
    assert {row.attempts for row in rows} == {1}


async def test_no_more_than_the_concurrency_run_at_a_time(bench: Bench) -> None:
    running = peak = 0

    @job("test.crowd", Note)
    async def crowd(_note: Note, _context: JobContext) -> None:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.01)
        running -= 1

    async with bench.worker(crowd, concurrency=4):
        async with bench.database.independent() as unit:
            await enqueue_many(unit, [(crowd, Note())] * 30)
        await bench.until_all("succeeded")

    assert peak == 3  # a kind leaves a quarter to the others


async def test_jobs_that_are_not_declared_here_are_left_to_others(bench: Bench) -> None:
    async with bench.database.independent() as unit:
        foreign = await enqueue(unit, fail_twice, Note("x"))
        own = await enqueue(unit, take_note, Note("y"))
    async with bench.worker(take_note):
        await bench.until(own, "succeeded")

    row = await bench.row(foreign)
    assert (row.status, row.attempts) == ("pending", 0)


async def test_a_payload_of_another_type_is_refused_at_once(bench: Bench) -> None:
    async with bench.database.independent() as unit:
        with pytest.raises(TypeError, match=r"test.note takes a Note, not a dict"):
            await enqueue(unit, take_note, {"text": "x"})  # type: ignore[misc]  # the mistake

import asyncio
from typing import Any

import pytest

from app.lib.domain import Domain
from app.lib.jobs import Job, JobContext, Retry, RetryLater, enqueue, job, registry_of
from tests.lib.jobs.bench import Bench, Diary, Note


@job("test.note", Note)
async def take_note(_note: Note, _context: JobContext) -> None: ...


def waits(retry: Retry, attempts: int) -> list[float]:
    return [retry.wait_after(attempt) for attempt in range(1, attempts + 1)]


def test_waits_grow_up_to_a_limit() -> None:
    assert waits(Retry(first_delay=2, factor=3, max_delay=50, jitter=0), 5) == [2, 6, 18, 50, 50]


def test_waits_can_be_listed_and_grow_from_the_last() -> None:
    retry = Retry(delays=(5, 5, 300), factor=2, max_delay=1000, jitter=0)

    assert waits(retry, 6) == [5, 5, 300, 600, 1000, 1000]


def test_the_thousandth_wait_is_no_overflow() -> None:
    assert Retry(jitter=0).wait_after(1000) == 3600


@pytest.mark.parametrize(("jitter", "lowest"), [(1.0, 0.0), (0.5, 50.0), (0.0, 100.0)])
def test_jitter_is_the_part_of_a_wait_that_is_left_to_chance(jitter: float, lowest: float) -> None:
    found = [Retry(first_delay=100, jitter=jitter).wait_after(1) for _ in range(1000)]

    assert all(lowest <= wait <= 100 for wait in found)
    assert max(found) - min(found) >= (100 - lowest) * 0.8


@pytest.mark.parametrize("values", [{"attempts": 0}, {"factor": 0.5}, {"jitter": 2}, {"jitter": -1}])
def test_a_retry_that_makes_no_sense_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a retry wants"):
        Retry(**values)


@pytest.mark.parametrize("name", ["", "x" * 101])
def test_a_name_has_1_to_100_characters(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        job(name, Note)(take_note.run)


def test_two_jobs_of_one_name_are_refused_and_one_may_be_exported_twice() -> None:
    other: Job[Note] = job("test.note", Note)(take_note.run)

    assert registry_of([take_note, take_note]) == {"test.note": take_note}
    with pytest.raises(ValueError, match=r"test\.note is declared twice"):
        registry_of([take_note, other])


def test_a_domain_brings_its_jobs() -> None:
    assert Domain(name="toys", jobs=(take_note,)).jobs == (take_note,)
    assert repr(take_note) == "Job('test.note')"


async def test_a_key_that_is_too_long_is_refused_at_once(bench: Bench) -> None:
    async with bench.database.independent() as unit:
        with pytest.raises(ValueError, match="at most 200"):
            await enqueue(unit, take_note, Note(), key="x" * 201)


async def test_a_missing_service_is_named(bench: Bench) -> None:
    @job("test.needy", Note, retry=Retry(attempts=1))
    async def needy(_note: Note, context: JobContext) -> None:
        context.service(Retry)

    async with bench.worker(needy):
        async with bench.database.independent() as unit:
            job_id = await enqueue(unit, needy, Note())
        row = await bench.until(job_id, "failed")

    assert (row.error_kind, row.error) == ("LookupError", "there is no Retry")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


HOSTILE = [ValueError("a\0b"), ValueError("\ud800"), ValueError("x" * 5000), Mute(), RetryLater(float("inf"))]


@pytest.mark.parametrize("error", [*HOSTILE, RetryLater(float("nan"))], ids=range(6))
async def test_no_error_of_a_job_keeps_its_outcome_or_that_of_others_from_being_written(
    bench: Bench, error: Exception
) -> None:
    @job("test.hostile", Note, retry=Retry(first_delay=3600, jitter=0))
    async def hostile(_note: Note, context: JobContext) -> None:
        await context.service(Diary).go_on.wait()
        raise error

    bench.diary.go_on.clear()
    async with bench.worker(hostile, take_note) as worker:
        async with bench.database.independent() as unit:
            bad, good = await enqueue(unit, hostile, Note()), await enqueue(unit, take_note, Note())
        await bench.until(good, "succeeded")
        bench.diary.go_on.set()
        row = await bench.until(bad, "pending")
        await asyncio.sleep(0)
        assert worker.failures == 0

    assert row.error_kind == type(error).__name__

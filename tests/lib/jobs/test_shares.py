"""What a kind of job, and an owner, may take of a worker's places."""

import pytest

from app.lib.jobs import Job, JobContext, enqueue, enqueue_many, job
from tests.lib.jobs.bench import Bench, Diary, Note
from tests.support.waiting import PATIENCE, until_it_holds

pytestmark = pytest.mark.asvs("15.2.2")

SELDOM = 10 * PATIENCE
"""Seconds between two looks at the database: what ends, or is put into the queue, wakes the worker by itself."""


@job("test.note", Note)
async def take_note(note: Note, context: JobContext) -> None:
    context.service(Diary).write(note, context)


async def wait(note: Note, context: JobContext) -> None:
    await context.service(Diary).go_on.wait()
    context.service(Diary).write(note, context)


async def runs(bench: Bench, count: int) -> bool:
    return len(await bench.rows(status="running")) == count


@pytest.mark.parametrize(
    ("concurrency", "at_most", "peak"), [(20, 2, 2), (20, 12, 5), (5, 5, 1), (5, None, 4), (2, None, 1)]
)
async def test_jobs_of_one_kind_that_hang_leave_room_for_others(
    bench: Bench, concurrency: int, at_most: int | None, peak: int
) -> None:
    bench.diary.go_on.clear()

    @job("test.slow", Note, at_most=at_most)
    async def slow(note: Note, context: JobContext) -> None:
        await wait(note, context)

    async with bench.worker(slow, take_note, concurrency=concurrency, poll_seconds=SELDOM):
        async with bench.database.independent() as unit:
            await enqueue_many(unit, [(slow, Note("slow"))] * 30)
        await until_it_holds(lambda: runs(bench, peak))
        async with bench.database.independent() as unit:
            quick = await enqueue(unit, take_note, Note("quick"))
        await bench.until(quick, "succeeded")
        assert len(await bench.rows(status="running")) == peak
        bench.diary.go_on.set()
        await bench.until_all("succeeded")

    assert bench.diary.texts == ["quick", *["slow"] * 30]


async def test_four_kinds_that_hang_leave_room_for_others(bench: Bench) -> None:
    """As when the mail server, the receivers of webhooks and the payment provider are silent at the same time."""
    bench.diary.go_on.clear()

    def hanging(name: str) -> Job[Note]:
        @job(f"test.{name}", Note, at_most=5)
        async def hangs(note: Note, context: JobContext) -> None:
            await wait(note, context)

        return hangs

    kinds = [hanging(name) for name in ("mail", "webhooks", "payments", "refunds")]
    async with bench.worker(*kinds, take_note, concurrency=5, poll_seconds=SELDOM):
        async with bench.database.independent() as unit:
            await enqueue_many(unit, [(kind, Note("slow")) for kind in kinds * 10])
            quick = await enqueue(unit, take_note, Note("quick"))
        await bench.until(quick, "succeeded")
        assert len(await bench.rows(status="running")) <= 4
        bench.diary.go_on.set()
        await bench.until_all("succeeded")


async def test_one_owner_with_many_slow_jobs_does_not_delay_the_others(bench: Bench) -> None:
    bench.diary.go_on.clear()

    @job("test.owned", Note, at_most=12, owner=lambda note: note.text)
    async def owned(note: Note, context: JobContext) -> None:
        if note.text != "quick":
            await wait(note, context)

    async with bench.worker(owned, concurrency=20, poll_seconds=SELDOM):
        async with bench.database.independent() as unit:
            await enqueue_many(unit, [(owned, Note(text)) for text in ["slow"] * 30 + ["slower"] * 30])
        await until_it_holds(lambda: runs(bench, 2))
        async with bench.database.independent() as unit:
            quick = [await enqueue(unit, owned, Note("quick")) for _ in range(3)]
        for each in quick:
            await bench.until(each, "succeeded")
        assert len(await bench.rows(status="running")) == 2
        assert {row.attempts for row in await bench.rows(status="pending")} == {0}
        bench.diary.go_on.set()
        await bench.until_all("succeeded")


async def test_owners_take_turns_at_the_only_place_of_a_kind(bench: Bench) -> None:
    """However long the jobs of one of them have been due."""
    served: list[str] = []

    @job("test.turns", Note, at_most=12, owner=lambda note: note.text)
    async def take_turn(note: Note, context: JobContext) -> None:
        served.append(note.text)

    async with bench.database.independent() as unit:
        await enqueue_many(unit, [(take_turn, Note(text)) for text in ["many"] * 20 + ["some"] * 2 + ["one"]])
    async with bench.worker(take_turn, concurrency=4, poll_seconds=SELDOM):
        await bench.until_all("succeeded")

    assert set(served[:3]) == {"many", "some", "one"}
    assert set(served[3:5]) == {"many", "some"}
    assert served[5:] == ["many"] * 18

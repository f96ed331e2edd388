"""The worker inside the server while its database is away."""

import asyncio

from app.lib.db.url import DatabaseURL
from app.lib.jobs import JobContext, enqueue, job
from tests.lib.jobs.bench import Bench, Diary, Note, bench_on
from tests.support.proxy import Proxy
from tests.support.waiting import PATIENCE, until


@job("test.note", Note)
async def take_note(note: Note, context: JobContext) -> None:
    diary = context.service(Diary)
    diary.write(note, context)
    await diary.go_on.wait()


async def put(bench: Bench, text: str) -> None:
    async with bench.database.independent() as unit:
        await enqueue(unit, take_note, Note(text))


async def test_a_worker_finds_its_database_again_and_loses_nothing(on_postgresql: DatabaseURL, proxy: Proxy) -> None:
    async with bench_on(on_postgresql) as direct, bench_on(proxy.url) as bench, bench.worker(take_note) as worker:
        bench.diary.go_on.clear()
        await put(direct, "before")
        await until(lambda: bench.diary.texts == ["before"])

        await proxy.cut()
        await put(direct, "in between")
        bench.diary.go_on.set()
        await until(lambda: worker.failures > 1)
        assert (await direct.rows())[0].status == "running"
        await proxy.restore()

        rows = await direct.until_all("succeeded")
        assert bench.diary.texts == ["before", "in between"]
        assert {(row.attempts, row.losses) for row in rows} == {(1, 0)}


async def test_a_worker_that_stops_during_an_outage_stops(on_postgresql: DatabaseURL, proxy: Proxy) -> None:
    async with bench_on(on_postgresql) as direct, bench_on(proxy.url) as bench:
        async with bench.worker(take_note, drain_seconds=0) as worker:
            bench.diary.go_on.clear()
            await put(direct, "one")
            await until(lambda: bench.diary.texts == ["one"])
            await proxy.cut()
            await until(lambda: worker.failures > 0)
            async with asyncio.timeout(PATIENCE):
                await worker.stop()

        async with direct.worker(take_note, poll_seconds=0.05, stale_seconds=0.5):
            (row,) = await direct.until_all("succeeded")
        assert (row.attempts, row.losses) == (1, 1)

"""Jobs that tell what was done to them, and workers to do it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from advanced_alchemy.types import DateTimeUTC
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.base import table_of
from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from app.lib.jobs import Job, JobContext, registry_of
from app.lib.jobs.enqueue import WAKE
from app.lib.jobs.execution import Executor
from app.lib.jobs.planner import PlanRow, all_plans
from app.lib.jobs.tables import JobSchedule, QueuedJob
from app.lib.jobs.worker import Worker, WorkerOptions
from app.lib.services import Services
from tests.support.waiting import PATIENCE, until_it_holds


class Note(msgspec.Struct, frozen=True):
    """A payload."""

    text: str = ""


class Diary:
    """What ran, in order: the text of each note and the context of each attempt."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.contexts: list[JobContext] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    def write(self, note: Note, context: JobContext) -> None:
        self.texts.append(note.text)
        self.contexts.append(context)


class Bench:
    """A database, and workers as several processes would have them: each with an engine of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.diary = Diary()
        self.outcomes: list[tuple[str, str]] = []

    @asynccontextmanager
    async def worker(self, *jobs: Job[Any], elsewhere: bool = False, **options: Any) -> AsyncIterator[Worker]:
        """A running worker; ``elsewhere`` is one that nothing in this process wakes."""
        async with AsyncExitStack() as stack:
            database = self.database
            if elsewhere:
                database = Database(DatabaseOptions(url=self.database.url, pool_size=3))
                await database.start()
                stack.push_async_callback(database.close)
            executor = Executor(registry_of(jobs), database, Services(self.diary), self._observe)
            worker = Worker(database, executor, WorkerOptions(**{"drain_seconds": 5.0, **options}))
            await worker.start()
            if elsewhere:
                WAKE.discard(worker.wake)
            stack.push_async_callback(worker.stop)
            yield worker

    def _observe(self, name: str, ending: str, _seconds: float) -> None:
        self.outcomes.append((name, ending))

    async def rows(self, **where: Any) -> list[QueuedJob]:
        """The queue as it is, oldest first."""
        async with AsyncSession(self.database.engine, expire_on_commit=False) as session:
            statement = select(QueuedJob).filter_by(**where).order_by(QueuedJob.created_at, QueuedJob.id)
            return list((await session.execute(statement)).scalars())

    async def row(self, job_id: UUID | None) -> QueuedJob:
        (found,) = await self.rows(id=job_id)
        return found

    async def until(self, job_id: UUID | None, status: str) -> QueuedJob:
        """The job's row as soon as it has this status."""

        async def holds() -> bool:
            return (await self.row(job_id)).status == status

        await until_it_holds(holds)
        return await self.row(job_id)

    async def until_all(self, status: str) -> list[QueuedJob]:
        """All rows as soon as they all have this status."""

        async def holds() -> bool:
            return {row.status for row in await self.rows()} == {status}

        await until_it_holds(holds)
        return await self.rows()

    async def set_clock(self, hours: float) -> None:
        """Sets the database's clock forth, or back by a negative number: seen from inside it is the same when every
        instant that was ever written moves the other way.
        """
        for table in (table_of(QueuedJob), table_of(JobSchedule)):
            instants = [column for column in table.columns if isinstance(column.type, DateTimeUTC)]
            (key,) = table.primary_key.columns
            async with self.database.engine.begin() as connection:
                for row in (await connection.execute(select(key, *instants).with_for_update())).mappings().all():
                    moved = {c.name: row[c.name] - timedelta(hours=hours) for c in instants if row[c.name] is not None}
                    await connection.execute(update(table).where(key == row[key.name]).values(**moved))

    async def looked(self, worker: Worker) -> None:
        """Returns once the worker has looked at the database, from now on."""
        looked = asyncio.Event()
        look = worker._look

        async def watched(now: float) -> None:
            await look(now)
            looked.set()

        worker._look = watched  # type: ignore[method-assign]  # there is no other sign of it
        worker.wake()
        await asyncio.wait_for(looked.wait(), PATIENCE)
        worker._look = look  # type: ignore[method-assign]  # as before

    async def plans(self) -> dict[str, PlanRow]:
        """The schedules by name."""
        return {plan.name: plan for plan in await self.database.reader.all(all_plans)}

    async def change(self, job_id: UUID | None, **values: Any) -> None:
        """Changes a row behind the queue's back."""
        async with self.database.engine.begin() as connection:
            await connection.execute(update(QueuedJob).where(QueuedJob.id == job_id).values(**values))


@asynccontextmanager
async def bench_on(url: DatabaseURL) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        database = Database(DatabaseOptions(url=url, pool_size=5))
        await database.start()
        stack.push_async_callback(database.close)
        yield Bench(database)

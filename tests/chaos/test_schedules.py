"""Three worker processes of one server, and schedules that become due."""

import asyncio

from sqlalchemy import select, update

from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.instants import database_now_plus
from app.lib.jobs.tables import JobSchedule, QueuedJob
from tests.chaos.conftest import Tell
from tests.support.service import Service
from tests.support.waiting import until_it_holds

ROUNDS = 5
NAME = "sessions.purge"
LOOK_SECONDS = 3.0
"""Each worker looks at the schedules once a second."""


async def test_a_schedule_fires_once_with_three_worker_processes(service: Service, tell: Tell) -> None:
    await service.start()
    processes = await asyncio.to_thread(service.server.workers)
    assert len(processes) == 3
    database = Database(DatabaseOptions(url=service.url, pool_size=1))

    for fired in range(1, ROUNDS + 1):
        async with database.engine.begin() as connection:
            due = database_now_plus(1.0)
            await connection.execute(update(JobSchedule).where(JobSchedule.name == NAME).values(next_at=due))

        async def has_run(expected: int = fired) -> bool:
            return await statuses(service) == ["succeeded"] * expected

        await until_it_holds(has_run)
        await asyncio.sleep(LOOK_SECONDS)
        assert await has_run()

    await database.close()
    runs = [line for line in service.server.output.splitlines() if '"job.succeeded"' in line and NAME in line]
    workers = {row.worker for row in await service.rows(select(QueuedJob.worker).where(QueuedJob.name == NAME))}
    tell(f"{len(runs)} runs in {ROUNDS} rounds, by {len(workers)} of {len(processes)} processes")
    assert len(runs) == ROUNDS


async def statuses(service: Service) -> list[str]:
    """Of all runs."""
    return [row.status for row in await service.rows(select(QueuedJob.status).where(QueuedJob.name == NAME))]

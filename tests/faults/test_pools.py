"""Requests and jobs do not wait for each other's connections."""

from contextlib import AsyncExitStack

from sqlalchemy import text

from app.lib.db.engine import Database
from app.lib.db.url import DatabaseURL
from tests.faults.conftest import service_on
from tests.support.apps import core_of
from tests.support.waiting import until_it_holds


async def occupy(database: Database, stack: AsyncExitStack, connections: int) -> None:
    """Takes this number of connections for writes until the stack is left."""
    for _ in range(connections):
        unit = await stack.enter_async_context(database.independent())
        await unit.session.execute(text("SELECT 1"))


async def test_jobs_run_while_requests_keep_every_connection_busy(on_postgresql: DatabaseURL) -> None:
    async with service_on(on_postgresql, DATABASE_POOL_SIZE="1") as service, AsyncExitStack() as stack:
        assert (await service.register()).status_code == 201
        core = service.core
        core = core_of(service.app)

        async def everything_is_done() -> bool:
            async with core.job_database.independent() as unit:
                return set(await unit.session.scalars(text("SELECT status FROM jobs"))) == {"succeeded"}

        await occupy(core.database, stack, 1)
        async with core.working():
            await until_it_holds(everything_is_done)


async def test_requests_are_served_while_jobs_keep_every_connection_busy(on_postgresql: DatabaseURL) -> None:
    async with service_on(on_postgresql, DATABASE_POOL_SIZE="4") as service, AsyncExitStack() as stack:
        await occupy(service.core.job_database, stack, 2)

        assert (await service.write()).status_code == 200
        assert (await service.read()).status_code == 200

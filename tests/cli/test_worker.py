"""``app worker``: jobs in a process of their own."""

import asyncio
import signal
from pathlib import Path
from uuid import UUID

import pytest

from app.domain.jobs.jobs import purge_jobs
from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from app.lib.jobs import Nothing, enqueue
from tests.cli.conftest import text_of
from tests.lib.jobs.bench import Bench
from tests.support.databases import migrate
from tests.support.processes import Server, app_command


def worker_on(url: DatabaseURL, folder: Path) -> Server:
    return Server(app_command("worker"), folder, 0, {"DATABASE_URL": text_of(url), "LOG_FORMAT": "json"})


async def put(url: DatabaseURL) -> UUID | None:
    database = Database(DatabaseOptions(url=url))
    async with database.independent() as unit:
        job_id = await enqueue(unit, purge_jobs, Nothing())
    await database.close()
    return job_id


def status_of(url: DatabaseURL, job_id: UUID | None) -> str:
    async def ask() -> str:
        database = Database(DatabaseOptions(url=url))
        try:
            return (await Bench(database).row(job_id)).status
        finally:
            await database.close()

    return asyncio.run(ask())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_jobs_until_it_is_told_to_end(own_url: DatabaseURL, tmp_path: Path, number: signal.Signals) -> None:
    with worker_on(own_url, tmp_path) as worker:
        job_id = asyncio.run(put(own_url))
        worker.until(lambda: status_of(own_url, job_id) == "done")

        assert worker.end(number) == 0
    assert '"event":"job.done"' in worker.output
    assert f'"job_id":"{job_id}"' in worker.output


def test_it_waits_for_a_database_that_is_not_migrated(empty_url: DatabaseURL, tmp_path: Path) -> None:
    with worker_on(empty_url, tmp_path) as worker:
        worker.until(lambda: worker.output.count("jobs.turn_failed") > 1)
        migrate(empty_url)
        job_id = asyncio.run(put(empty_url))
        worker.until(lambda: status_of(empty_url, job_id) == "done")

        assert worker.end() == 0

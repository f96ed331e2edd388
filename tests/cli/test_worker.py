"""``app worker``: jobs in a process of their own."""

import asyncio
import signal
from pathlib import Path
from uuid import UUID

from app.core import MIGRATIONS
from app.domain.jobs.jobs import purge_jobs
from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.migrations import Migrations
from app.lib.db.url import DatabaseURL
from app.lib.jobs import NoPayload, enqueue
from tests.cli.conftest import text_of
from tests.lib.jobs.bench import Bench
from tests.support.processes import Server, app_command


def worker_on(url: DatabaseURL, folder: Path) -> Server:
    return Server(app_command("worker"), folder, 0, {"DATABASE_URL": text_of(url), "LOG_FORMAT": "json"})


async def put(url: DatabaseURL) -> UUID | None:
    database = Database(DatabaseOptions(url=url))
    async with database.independent() as unit:
        job_id = await enqueue(unit, purge_jobs, NoPayload())
    await database.close()
    return job_id


async def status_of(url: DatabaseURL, job_id: UUID | None) -> str:
    database = Database(DatabaseOptions(url=url))
    try:
        return (await Bench(database).row(job_id)).status
    finally:
        await database.close()


def test_it_waits_for_the_schema_runs_jobs_and_ends_on_a_signal(empty_url: DatabaseURL, tmp_path: Path) -> None:
    with worker_on(empty_url, tmp_path) as worker:
        worker.until(lambda: worker.output.count("jobs.turn_failed") > 1)
        asyncio.run(Migrations(empty_url, MIGRATIONS).upgrade())
        job_id = asyncio.run(put(empty_url))
        worker.until(lambda: '"event":"job.succeeded"' in worker.output)
        (tmp_path / ".env").write_text("JOBS_CONCURRENCY=many")
        worker.tell(signal.SIGHUP)
        worker.until(lambda: '"event":"reload.failed"' in worker.output)
        (tmp_path / ".env").write_text("JOBS_CONCURRENCY=3")
        worker.tell(signal.SIGHUP)
        worker.until(lambda: worker.output.count('"event":"working"') == 2)

        assert worker.end(signal.SIGINT if empty_url.is_sqlite else signal.SIGTERM) == 0
    assert f'"job_id":"{job_id}"' in worker.output
    assert asyncio.run(status_of(empty_url, job_id)) == "succeeded"

"""``app worker``: jobs in a process of their own."""

import asyncio
import re
import signal
import socket
from pathlib import Path
from uuid import UUID

from app.core import MIGRATIONS
from app.domain.jobs.jobs import purge_jobs
from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.migrations import Migrations
from app.lib.db.url import DatabaseURL
from app.lib.jobs import NoPayload, enqueue
from tests.cli.conftest import Cli, text_of
from tests.cli.conftest import refusal as refusal_of
from tests.domain.system.test_metrics_reference import documented
from tests.lib.jobs.bench import Bench
from tests.support.processes import Server, app_command, free_port

CHECKS = {"database", "jobs"}
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "pT4vQ8xW2zR6nM0kB5jH9gF3dS7aL1cY",
    "PUBLIC_URL": "https://api.example.com",
}
TOKEN = "only-for-the-scrape-0123456789-0123456789"


def worker_on(url: DatabaseURL, folder: Path) -> Server:
    port = free_port()
    command = app_command("worker", "--probe-port", str(port))
    return Server(
        command,
        folder,
        port,
        {"DATABASE_URL": text_of(url), "LOG_FORMAT": "json", "METRICS_TOKEN": TOKEN, **PRODUCTION},
    )


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


def read_again(worker: Server, env_file: Path) -> None:
    """Wrong settings are refused, and good ones taken."""
    env_file.write_text("JOBS_CONCURRENCY=many")
    worker.tell(signal.SIGHUP)
    worker.until(lambda: '"event":"reload.failed"' in worker.output)
    env_file.write_text("JOBS_CONCURRENCY=3")
    worker.tell(signal.SIGHUP)
    worker.until(lambda: worker.output.count('"event":"working"') == 2)
    worker.until_it_answers("/health/ready")


def test_it_waits_for_the_schema_runs_jobs_and_ends_on_a_signal(empty_url: DatabaseURL, tmp_path: Path) -> None:
    with worker_on(empty_url, tmp_path) as worker:
        worker.until(lambda: worker.output.count("jobs.turn_failed") > 1)
        assert worker.get("/health/live").status_code == 200
        refusal = worker.get("/health/ready")
        assert refusal.status_code == 503
        assert {each["name"]: each["status"] for each in refusal.json()["checks"]} == dict.fromkeys(CHECKS, "failed")

        asyncio.run(Migrations(empty_url, MIGRATIONS).upgrade())
        worker.until_it_answers("/health/ready")
        assert {each["name"] for each in worker.get("/health/ready").json()["checks"]} == CHECKS
        job_id = asyncio.run(put(empty_url))
        worker.until(lambda: '"event":"job.succeeded"' in worker.output)

        assert worker.get("/metrics").status_code == 401
        scraped = worker.get("/metrics", Authorization=f"Bearer {TOKEN}").text
        assert {name for name, _ in re.findall(r"^# TYPE (\w+) (\w+)$", scraped, re.MULTILINE)} == set(documented())
        assert 'jobs_attempts_total{ending="succeeded",kind="jobs.purge"} 1.0' in scraped
        assert worker.get("/api/v1/users/me").status_code == worker.get("/").status_code == 404

        if empty_url.is_sqlite:  # settings are read before the database is looked for
            read_again(worker, tmp_path / ".env")

        with socket.create_connection(("127.0.0.1", worker.port)) as silent:
            silent.send(b"GET /health/live HTTP/1.1\r\n")  # and no more: no reason to stay
            assert worker.end(signal.SIGINT if empty_url.is_sqlite else signal.SIGTERM) == 0
    assert f'"job_id":"{job_id}"' in worker.output
    assert "No mail is sent: set MAIL_BACKEND=smtp." in worker.output
    assert "The database schema is not up to date" in worker.output
    assert f'"ready":"http://127.0.0.1:{worker.port}/health/ready"' in worker.output
    assert '"event":"jobs.stopping","running":0,"waits_up_to_seconds":10.0' in worker.output
    assert ('"database_connections":33' in worker.output) is not empty_url.is_sqlite
    assert asyncio.run(status_of(empty_url, job_id)) == "succeeded"


def test_a_port_of_others_is_refused(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = refusal_of(cli("worker", "--probe-port", str(taken.getsockname()[1])), 6)

    assert "Choose another with --probe-port" in said

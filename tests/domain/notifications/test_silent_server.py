"""A mail server that takes connections and then says nothing."""

from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.jobs.jobs import purge_jobs
from app.lib.db.url import DatabaseURL
from app.lib.jobs import NoPayload, enqueue
from app.lib.jobs.tables import JobStatus, QueuedJob
from tests.domain.notifications.steps import register
from tests.support.apps import client_of, core_of, running_app
from tests.support.databases import empty
from tests.support.mailserver import mail_server
from tests.support.waiting import until, until_it_holds


async def test_other_jobs_do_not_wait_for_a_silent_mail_server(database_url: DatabaseURL) -> None:
    smtp = {"MAIL_BACKEND": "smtp", "SMTP_HOST": "127.0.0.1", "SMTP_TLS": "false", "RATE_LIMIT_ENABLED": "false"}
    async with mail_server() as server:
        server.delays = {"EHLO": 3600.0}
        async with running_app(database_url, JOBS_WORKER="inside", SMTP_PORT=str(server.port), **smtp) as app:
            database = core_of(app).database
            transport: Any = core_of(app).mail_transport
            transport._options = msgspec.structs.replace(transport._options, command_seconds=3600.0)
            await empty(database)
            async with client_of(app) as client:
                for number in range(12):
                    assert (await register(client, f"person{number}@example.com")).status_code == 201
            await until(lambda: server.heard.count("EHLO") >= 5)

            async with database.independent() as unit:
                job_id = await enqueue(unit, purge_jobs, NoPayload())

            async def is_done() -> bool:
                async with AsyncSession(database.engine, expire_on_commit=False) as session:
                    row = await session.get(QueuedJob, job_id)
                return row is not None and row.status == JobStatus.SUCCEEDED.value

            await until_it_holds(is_done)
            assert server.messages == []
            await server.stop()  # or the worker would wait for it at the end

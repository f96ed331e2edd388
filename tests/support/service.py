"""The whole service, by ``app serve`` and on a database of its own, and people who register there by HTTP."""

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Select, select

from app.domain.accounts.models import User
from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from app.lib.jobs.tables import JobStatus, QueuedJob, in_status
from app.lib.mail.jobs import send_mail
from app.lib.mail.models import Mail
from app.lib.mail.rows import MailStatus
from tests.support.people import PASSWORD
from tests.support.processes import NO_TLS, PATIENCE, Server, app_command, free_port
from tests.support.waiting import until_it_holds


class Service:
    """Can be killed and started again: always on the same port, with the same database and the same mail server."""

    def __init__(self, url: DatabaseURL, folder: Path, mail_port: int, *, workers: int = 1) -> None:
        self.url = url
        self.port = free_port()
        self._folder = folder
        self._starts = count(1)
        self._server: Server | None = None
        self._workers = workers
        self._environ = {
            "DATABASE_URL": url.url.render_as_string(hide_password=False),
            "SECRET_KEY": "a-key-that-is-only-for-tests-0123456789",
            "RATE_LIMIT_ENABLED": "false",
            "LOG_LEVEL": "info",
            "LOG_FORMAT": "json",
            "MAIL_BACKEND": "smtp",
            "MAIL_FROM": "Lodestar <noreply@lodestar.test>",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(mail_port),
            "SMTP_TLS": "false",
        }

    @property
    def server(self) -> Server:
        assert self._server is not None, "it was not started"
        return self._server

    async def start(self) -> None:
        """Returns when it is ready."""
        folder = self._folder / f"start-{next(self._starts)}"
        folder.mkdir()
        command = app_command("serve", "--port", str(self.port), "--workers", str(self._workers))
        self._server = Server(command, folder, self.port, self._environ)
        await asyncio.to_thread(self._server.until_it_answers, "/health/ready")

    async def kill(self) -> None:
        """kill -9 of all its processes at once."""
        await asyncio.to_thread(self.server.kill)

    def close(self) -> None:
        """In any state."""
        if self._server is not None:
            self._server.__exit__(None, None, None)

    async def registered(self) -> set[str]:
        """The addresses of those who are in the database."""
        return {row.email for row in await self.rows(select(User.email))}

    async def in_flight(self) -> set[str]:
        """The Message-IDs of the mails that a worker is sending, or was sending when it was killed."""
        running = select(QueuedJob.payload).where(QueuedJob.name == send_mail.name, in_status(JobStatus.RUNNING))
        ids = [send_mail.decode(row.payload).mail_id for row in await self.rows(running)]
        queued = select(Mail.message_id).where(Mail.status == MailStatus.PENDING.value, Mail.id.in_(ids))
        return {row.message_id for row in await self.rows(queued)}

    async def until_all_is_sent(self, seconds: float = 2 * PATIENCE) -> None:
        """Waits until each user has a mail, and every mail of the database counts as sent."""

        async def holds() -> bool:
            await asyncio.sleep(0.2)
            mails = await self.rows(select(Mail.status, Mail.to_address))
            is_sent = {row.status for row in mails} == {MailStatus.SUCCEEDED.value}
            return is_sent and await self.registered() <= {row.to_address for row in mails}

        await until_it_holds(holds, seconds)

    async def rows(self, statement: Select[Any]) -> list[Any]:
        """What the database says. It is not kept open: the next start must find it as a crash has left it."""
        database = Database(DatabaseOptions(url=self.url, pool_size=1))
        try:
            async with database.engine.connect() as connection:
                return list((await connection.execute(statement)).all())
        finally:
            await database.close()


class Registrations:
    """People who register, each once and with an address of their own.

    ``acknowledged`` are those who got the answer that it is done; ``unanswered`` those whose connection broke before
    the answer, so that they do not know.
    """

    def __init__(self, service: Service) -> None:
        self.acknowledged: set[str] = set()
        self.unanswered: set[str] = set()
        self._service = service
        self._numbers = count(1)

    async def make(self, how_many: int, *, at_once: int = 8, pause: float = 0.0) -> None:
        """Returns when all have tried. Each of those who go on at once waits for ``pause`` seconds after each."""
        addresses = (f"person{next(self._numbers)}@example.com" for _ in range(how_many))
        base_url = f"http://127.0.0.1:{self._service.port}/api/v1"
        async with (
            httpx.AsyncClient(base_url=base_url, timeout=PATIENCE, verify=NO_TLS) as client,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(at_once):
                group.create_task(self._one_after_another(client, addresses, pause))

    async def _one_after_another(self, client: httpx.AsyncClient, addresses: Iterator[str], pause: float) -> None:
        for address in addresses:
            await self._register(client, address)
            await asyncio.sleep(pause)

    async def _register(self, client: httpx.AsyncClient, address: str) -> None:
        """As a person would: who gets no connection comes again."""
        while True:
            try:
                answer = await client.post("/auth/register", json={"email": address, "password": PASSWORD})
            except httpx.ConnectError:
                await asyncio.sleep(0.05)
            except httpx.TransportError:
                self.unanswered.add(address)
                return
            else:
                assert answer.status_code == 201, answer.text
                self.acknowledged.add(address)
                return

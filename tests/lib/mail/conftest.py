"""A table of mails, and all that it takes to send them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from app.lib.jobs.tables import QueuedJob
from app.lib.mail.delivery import Composer, Deliverer
from app.lib.mail.jobs import SendMail, send_mail
from app.lib.mail.mailer import Mailer, NewMail
from app.lib.mail.message import Mailbox, OutgoingMail
from app.lib.mail.models import Mail
from app.lib.mail.repository import MailReads
from app.lib.mail.templates import MailTemplates
from app.lib.mail.transports import Transport
from app.lib.security.sealing import Sealer
from tests.support.databases import empty

KEY = b"k" * 32


class Tray:
    """A transport that keeps what it is given, or fails as a test wants it."""

    name = "tray"

    def __init__(self) -> None:
        self.sent: list[OutgoingMail] = []
        self.failures: list[Exception] = []
        self.before: Callable[[], Any] | None = None

    async def send(self, mail: OutgoingMail) -> None:
        if self.before is not None:
            await self.before()
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(mail)


class Wishes:
    """Who has unsubscribed from what."""

    def __init__(self) -> None:
        self.muted: set[tuple[UUID, str]] = set()

    async def wants(self, user_id: UUID, topic: str) -> bool:
        return (user_id, topic) not in self.muted

    def unsubscribe_url(self, user_id: UUID, topic: str) -> str:
        return f"https://toys.example/out?token={topic}.{user_id}"


@dataclass
class PostOffice:
    """The parts, put together on one database; ``tray`` is where mails end."""

    database: Database
    templates: MailTemplates
    tray: Tray = field(default_factory=Tray)
    wishes: Wishes = field(default_factory=Wishes)

    def __post_init__(self) -> None:
        self.mailer = Mailer(Sealer(KEY), "toys.example")
        self.reads = MailReads(self.database.reader)
        self.deliverer = self.deliverer_by(self.tray)

    def deliverer_by(self, transport: Transport, **options: Any) -> Deliverer:
        """As another worker would have it."""
        composer = Composer(self.templates, Sealer(KEY), self.wishes, Mailbox("noreply@toys.example", "Toys"))
        return Deliverer(
            database=self.database, composer=composer, subscriptions=self.wishes, transport=transport, **options
        )

    async def jobs(self) -> list[SendMail]:
        """What the jobs that send have been given, in their order."""
        async with AsyncSession(self.database.engine, expire_on_commit=False) as session:
            payloads = await session.execute(select(QueuedJob.payload).order_by(QueuedJob.id))
        return [send_mail.decode(each) for each in payloads.scalars()]

    async def queue(self, business_id: str = "1", **changes: Any) -> UUID:
        """One more mail; its id."""
        values: dict[str, Any] = {
            "kind": "greeting",
            "to_address": "ada@example.com",
            "locale": "en",
            "template": "greeting",
            "context": {"who": "Ada"},
        }
        async with self.database.independent() as unit:
            await self.mailer.queue(unit, NewMail(**{**values, "business_id": business_id, **changes}))
        return (await self.reads.newest(1))[0].id

    async def row(self, mail_id: UUID) -> Any:
        """As the table has it."""
        async with self.database.independent() as unit:
            return (await unit.session.execute(select(Mail.__table__).where(Mail.id == mail_id))).one_or_none()

    async def change(self, mail_id: UUID, **values: Any) -> None:
        """As a fault would."""
        async with self.database.independent() as unit:
            await unit.session.execute(update(Mail).where(Mail.id == mail_id).values(**values))


@pytest.fixture(scope="session")
def toy_templates(tmp_path_factory: pytest.TempPathFactory) -> MailTemplates:
    folder: Path = tmp_path_factory.mktemp("templates")
    (folder / "greeting.txt").write_text(
        '{% extends "base.txt" %}{% block subject %}Hello {{ who }}{% endblock %}{% block preheader %}!{% endblock %}'
        "{% block text %}{{ link | default('no link') }}{% endblock %}"
    )
    (folder / "greeting.html").write_text('{% extends "base.html" %}{% block content %}{{ who }}{% endblock %}')
    return MailTemplates([folder], {"product": "Toys", "color": "#112233", "base_url": "https://toys.example"})


@pytest_asyncio.fixture
async def post(database_url: DatabaseURL, toy_templates: MailTemplates) -> AsyncIterator[PostOffice]:
    database = Database(DatabaseOptions(url=database_url, pool_size=5))
    await database.start()
    await empty(database)
    try:
        yield PostOffice(database, toy_templates)
    finally:
        await database.close()

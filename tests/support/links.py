"""Links and codes of mails, as their readers get them, where no worker runs."""

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar import Litestar
from sqlalchemy import Row, delete, select

from app.lib.jobs.tables import JobStatus, QueuedJob, in_status
from app.lib.mail.delivery import Composer
from app.lib.mail.models import Mail
from app.lib.mail.repository import MailReads
from tests.support.apps import core_of
from tests.support.jobs import run_job

_LINK = re.compile(r"https?://\S+\?token=\w+")
_CODE = re.compile(r"^\d{6}$", re.MULTILINE)


class Received(msgspec.Struct, frozen=True):
    """A mail with a link."""

    kind: str
    to: str
    text: str

    @property
    def url(self) -> str:
        found = _LINK.search(self.text)
        assert found, self.text
        return found[0]

    @property
    def path(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.path}?{parts.query}"

    @property
    def token(self) -> str:
        return self.url.partition("?token=")[2]

    @property
    def code(self) -> str:
        found = _CODE.search(self.text)
        assert found, self.text
        return found[0]


async def run_mail_jobs(app: Litestar) -> int:
    """Runs what waits to be mailed, once. Returns the number of jobs."""
    names = [name for name in core_of(app).jobs if name.startswith(("auth.", "event:auth."))]
    waiting = select(QueuedJob.__table__).where(QueuedJob.name.in_(names), in_status(JobStatus.PENDING))
    async with core_of(app).database.independent() as unit:
        rows: list[Row[Any]] = list(await unit.session.execute(waiting.order_by(QueuedJob.id)))
        await unit.session.execute(delete(QueuedJob).where(QueuedJob.id.in_([row.id for row in rows])))
    for row in rows:
        await run_job(app, row.name, core_of(app).jobs[row.name].decode(row.payload))
    return len(rows)


async def received(app: Litestar, kind: str | None = None) -> list[Received]:
    """All mails so far, in order, those that wait for their job included."""
    await run_mail_jobs(app)
    core = core_of(app)
    reads, composer = core.services.build(MailReads), core.services.get(Composer)
    wanted = select(Mail.id).order_by(Mail.id)
    if kind is not None:
        wanted = wanted.where(Mail.kind == kind)
    async with core.database.independent() as unit:
        ids = list((await unit.session.execute(wanted)).scalars())
    found: list[Received] = []
    for mail_id in ids:
        row = await reads.mail(mail_id)
        assert row is not None
        found.append(Received(row.kind, row.to_address, composer.compose(row).text))
    return found


async def newest(app: Litestar, kind: str) -> Received:
    """The newest mail of a kind."""
    return (await received(app, kind))[-1]

"""Late news, and the clean-up of what is over."""

from typing import Any

import msgspec

from app.domain.realtime.repositories.tickets import TicketRepository
from app.lib.jobs import Cron, Every, JobContext, NoPayload, job
from app.lib.realtime.events import NewEvent
from app.lib.realtime.hub import Hub
from app.lib.realtime.service import Realtime

_TRIM_SECONDS = 60.0
_BATCH = 1_000


class Notice(msgspec.Struct, frozen=True):
    """Something to be told on a channel."""

    channel: str
    event: str
    data: dict[str, Any]


class Notices(msgspec.Struct, frozen=True):
    items: list[Notice]


@job("realtime.tell", Notices)
async def tell_later(notices: Notices, context: JobContext) -> None:
    """Once, although the job may run again: each notice has a key."""
    hub = context.service(Hub)
    for number, each in enumerate(notices.items):
        data = msgspec.json.encode(each.data)
        await hub.publish(NewEvent(channel=each.channel, event=each.event, data=data, key=f"{context.job_id}:{number}"))


@job("realtime.trim", NoPayload, schedule=Every(_TRIM_SECONDS))
async def trim_channels(_payload: NoPayload, context: JobContext) -> None:
    trimmed = _BATCH
    while trimmed == _BATCH:
        async with context.unit() as unit:
            trimmed = await context.service(Realtime).trim(unit, _BATCH)


@job("realtime.purge_tickets", NoPayload, schedule=Cron("*/10 * * * *"))
async def purge_tickets(_payload: NoPayload, context: JobContext) -> None:
    async with context.unit() as unit:
        await TicketRepository(unit.session).purge()


JOBS = (tell_later, trim_channels, purge_tickets)

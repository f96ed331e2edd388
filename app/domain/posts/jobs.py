"""Announces scheduled posts. The public sees them at their time without a job."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.domain.posts.services.announcements import announce_due
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.jobs import Every, JobContext, NoPayload, enqueue, job

SECONDS = 10.0
"""How late ``post.published`` may be where the job of the instant was lost or came too early."""

_MARGIN = 0.01
"""Seconds after the instant: databases compare milliseconds, and instants have more digits."""


class Announcement(msgspec.Struct, frozen=True):
    """Which post becomes public, and when."""

    post_id: UUID
    at: datetime


# It says when to look and not what will be found: the post may have been put off, hidden or deleted since.
@job("posts.announce_at", Announcement, key=lambda payload: f"{payload.post_id} {payload.at.isoformat()}")
async def announce_at(_announcement: Announcement, context: JobContext) -> None:
    await _announce(context)


@job("posts.announce", NoPayload, schedule=Every(SECONDS))
async def announce_posts(_payload: NoPayload, context: JobContext) -> None:
    await _announce(context)


async def _announce(context: JobContext) -> None:
    while True:
        async with context.unit() as unit:
            count = await announce_due(unit, context.service(Events))
        if not count:
            return


async def announce_later(unit: UnitOfWork, post_id: UUID, at: datetime, now: datetime) -> None:
    """Announces at the instant what has become public by then. ``now`` is the database's."""
    await enqueue(unit, announce_at, Announcement(post_id, at), delay=(at - now).total_seconds() + _MARGIN)


JOBS = (announce_posts, announce_at)

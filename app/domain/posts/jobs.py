"""Announces scheduled posts. The public sees them at their time without a job."""

from app.domain.posts.events import PostPublished
from app.domain.posts.repositories import PostRepository
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.jobs import Every, JobContext, NoPayload, job

SECONDS = 5.0
"""How late ``post.published`` may be."""


@job("posts.announce", NoPayload, schedule=Every(SECONDS))
async def announce_posts(_nothing: NoPayload, context: JobContext) -> None:
    """Batch by batch, each in a transaction of its own."""
    has_more = True
    while has_more:
        async with context.unit() as unit:
            has_more = await announce_due(unit, context.service(Events))


async def announce_due(unit: UnitOfWork, events: Events) -> bool:
    """Publishes ``post.published`` for a batch of posts whose time has come; False when there were none."""
    due = await PostRepository(unit).announce()
    for row in due:
        event = PostPublished(aggregate_id=row.id, aggregate_version=row.version, author_id=row.author_id)
        await events.publish(unit, event)
    return bool(due)


JOBS = (announce_posts,)

"""Announces scheduled posts. The public sees them at their time without a job."""

from app.domain.posts.events import PostPublished
from app.domain.posts.repositories import PostRepository
from app.domain.posts.services.slugs import SlugClaims
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.jobs import Every, JobContext, NoPayload, job

SECONDS = 5.0
"""How late ``post.published`` may be."""


@job("posts.announce", NoPayload, schedule=Every(SECONDS))
async def announce_posts(_nothing: NoPayload, context: JobContext) -> int:
    """Batch by batch, each in a transaction of its own."""
    events = context.service(Events)
    return await context.in_batches(lambda unit: announce_due(unit, events))


async def announce_due(unit: UnitOfWork, events: Events) -> int:
    """Publishes ``post.published`` for a batch of posts whose time has come, and returns their number.

    Now they have their slugs among all posts; one that another public post has gets a number.
    """
    posts = PostRepository(unit)
    slugs = SlugClaims(posts)
    due = await posts.announce()
    for row in sorted(due, key=lambda each: each.id):
        slug, version = await slugs.claim_at_publication(row.id, row.author_id, row.slug), row.version
        if slug != row.slug:
            await posts.rename(row.id, slug)
            version += 1
        event = PostPublished(aggregate_id=row.id, aggregate_version=version, author_id=row.author_id)
        await events.publish(unit, event)
    return len(due)


JOBS = (announce_posts,)

"""What is published about posts without a request about them: their time has come, or their author was deleted."""

from uuid import UUID

from app.domain.posts.events import PostDeleted, PostPublished
from app.domain.posts.repositories import PostRepository
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events


async def announce_due(unit: UnitOfWork, events: Events) -> int:
    """Publishes ``post.published`` for a batch of posts whose time has come. Returns how many those were.

    The posts are locked, and another worker that looks for some skips them; so each is announced once.
    """
    posts = PostRepository(unit)
    due = await posts.list_due()
    for row in due:
        event = PostPublished(aggregate_id=row.id, aggregate_version=row.version, author_id=row.author_id)
        await events.publish(unit, event)
        await posts.set_announced(row.id)
    return len(due)


async def delete_posts_of(author_id: UUID, unit: UnitOfWork, events: Events) -> None:
    """Deletes all posts of a user, drafts included, each with its event."""
    posts = PostRepository(unit)
    while rows := await posts.list_by_author(author_id):
        for row in rows:
            event = PostDeleted(
                aggregate_id=row.id,
                aggregate_version=row.version + 1,
                author_id=author_id,
                was_public=row.is_announced,
            )
            await events.publish(unit, event)
        await posts.delete_many([row.id for row in rows])

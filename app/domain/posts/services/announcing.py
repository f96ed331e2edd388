"""What is told of posts without a request about them: that their time has come, and that their author is gone."""

from collections import Counter
from uuid import UUID

from app.domain.posts.events import PostDeleted, PostPublished, PostsChanged
from app.domain.posts.repositories import PostRepository
from app.domain.posts.services.totals import counted
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events


async def announce_due(unit: UnitOfWork, events: Events) -> int:
    """Records ``post.published`` for some posts that have become public by themselves. Returns how many those were.

    The posts are locked, and whoever else looks meanwhile passes them over; so each is announced once.
    """
    posts = PostRepository(session=unit.session)
    due = await posts.due()
    for row in due:
        event = PostPublished(aggregate_id=row.id, aggregate_version=row.version, author_id=row.author_id)
        await events.publish(unit, event)
        await posts.set_announced(row.id)
    await posts.count_tags(Counter(tag for row in due for tag in row.tags))
    return len(due)


async def remove_all_of(author_id: UUID, unit: UnitOfWork, events: Events) -> None:
    """Deletes all posts of somebody, drafts included, each with its event."""
    posts = PostRepository(session=unit.session)
    totals: Counter[str] = Counter()
    while rows := await posts.of_author(author_id):
        for row in rows:
            event = PostDeleted(
                aggregate_id=row.id,
                aggregate_version=row.version + 1,
                author_id=author_id,
                was_public=row.is_announced,
            )
            await events.publish(unit, event)
            totals.subtract(counted(row.tags, is_announced=row.is_announced))
        await posts.delete_all([row.id for row in rows])
    await posts.count_tags(totals)
    await events.publish(unit, PostsChanged())

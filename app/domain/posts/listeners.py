"""What posts do when something happens to users."""

from app.domain.accounts.events import UserDeleted
from app.domain.posts.events import PostDeleted
from app.domain.posts.repositories import PostRepository
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events, in_transaction


@in_transaction(UserDeleted)
async def delete_posts(event: UserDeleted, unit: UnitOfWork, events: Events) -> None:
    """Deletes all posts of the user, drafts included, each with its event."""
    for row in await PostRepository(unit).delete_by_author(event.aggregate_id):
        deleted = PostDeleted(
            aggregate_id=row.id,
            aggregate_version=row.version + 1,
            author_id=row.author_id,
            was_public=row.is_announced,
        )
        await events.publish(unit, deleted)


LISTENERS = (delete_posts,)

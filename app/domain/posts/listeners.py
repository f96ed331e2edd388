"""What posts do when something happens to users."""

from app.domain.accounts.events import UserErasing
from app.domain.posts.events import PostDeleted
from app.domain.posts.repositories import DELETED_AT_A_TIME, PostRepository
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events, in_transaction


@in_transaction(UserErasing)
async def delete_posts(event: UserErasing, unit: UnitOfWork, events: Events) -> None:
    """Deletes posts of the user, drafts included, each with its event."""
    posts = await PostRepository(unit).delete_by_author(event.user_id)
    if len(posts) == DELETED_AT_A_TIME:
        event.more_is_left()
    for row in posts:
        deleted = PostDeleted(
            aggregate_id=row.id,
            aggregate_version=row.version + 1,
            author_id=row.author_id,
            was_public=row.is_announced,
        )
        await events.publish(unit, deleted)


LISTENERS = (delete_posts,)

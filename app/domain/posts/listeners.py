"""What posts do when something happens to users."""

from app.domain.accounts.events import UserDeleted
from app.domain.posts.services.announcements import delete_posts_of
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events, in_transaction


@in_transaction(UserDeleted)
async def delete_posts(event: UserDeleted, unit: UnitOfWork, events: Events) -> None:
    await delete_posts_of(event.aggregate_id, unit, events)


LISTENERS = (delete_posts,)

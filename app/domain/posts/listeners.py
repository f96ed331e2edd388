"""What posts do when something happens to people."""

from app.domain.accounts.events import UserDeleted
from app.domain.posts.services.announcing import remove_all_of
from app.lib.db.uow import UnitOfWork
from app.lib.events import Listener, listens_to
from app.lib.outbox import Outbox


def post_listeners(outbox: Outbox) -> tuple[Listener, ...]:
    """Listeners that record events in the outbox, too."""

    @listens_to(UserDeleted)
    async def remove_posts(event: UserDeleted, unit: UnitOfWork) -> None:
        await remove_all_of(event.user_id, unit, outbox)

    return (remove_posts,)

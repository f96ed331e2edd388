"""What posts do when something happens to users, and what a process forgets when something happens to posts."""

from app.domain.accounts.events import ProfileUpdated, UserDeleted, UserUpdated
from app.domain.posts.events import PostsChanged
from app.domain.posts.memory import PostMemory
from app.domain.posts.services.announcing import remove_all_of
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events, Hint, in_every_process, in_transaction


@in_transaction(UserDeleted)
async def remove_posts(event: UserDeleted, unit: UnitOfWork, events: Events) -> None:
    await remove_all_of(event.aggregate_id, unit, events)


@in_every_process(PostsChanged)
def forget_posts(event: PostsChanged, memory: PostMemory) -> None:
    memory.drop(event)


@in_every_process(ProfileUpdated, UserUpdated)
def forget_lists(_event: Hint, memory: PostMemory) -> None:
    memory.lists.forget()


LISTENERS = (remove_posts, forget_posts, forget_lists)

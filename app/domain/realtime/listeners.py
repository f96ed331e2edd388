"""What rooms do when something happens to people."""

from app.domain.accounts.events import UserDeleted
from app.domain.realtime.repositories.messages import SenderRepository
from app.domain.realtime.services.members import take_out_of_all
from app.lib.db.uow import UnitOfWork
from app.lib.events import Listener, listens_to
from app.lib.outbox import Outbox


def room_listeners(outbox: Outbox) -> tuple[Listener, ...]:
    """Listeners that record events in the outbox, too."""

    @listens_to(UserDeleted)
    async def leave_rooms(event: UserDeleted, unit: UnitOfWork) -> None:
        await take_out_of_all(event.user_id, unit, outbox)
        await SenderRepository(unit.session).forget(event.user_id)

    return (leave_rooms,)

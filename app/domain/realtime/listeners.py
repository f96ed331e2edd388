"""What rooms do when something happens to people."""

from app.domain.accounts.events import UserDeleted
from app.domain.realtime.services.members import take_out_of_all
from app.lib.db.uow import UnitOfWork
from app.lib.events import listens_to


@listens_to(UserDeleted)
async def leave_rooms(event: UserDeleted, unit: UnitOfWork) -> None:
    await take_out_of_all(event.user_id, unit)


LISTENERS = (leave_rooms,)

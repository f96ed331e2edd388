"""What rooms and sockets do when something happens to users."""

from app.domain.accounts.events import UserDeleted
from app.domain.auth.events import ROLE_ACCESS_EVENTS, USER_ACCESS_EVENTS, SessionsEnded
from app.domain.realtime.services.members import take_out_of_all
from app.lib.db.uow import UnitOfWork
from app.lib.events import Hint, in_every_process, in_transaction
from app.lib.realtime.service import Realtime


@in_transaction(UserDeleted)
async def leave_rooms(event: UserDeleted, unit: UnitOfWork) -> None:
    await take_out_of_all(event.aggregate_id, unit)


@in_every_process(SessionsEnded, *USER_ACCESS_EVENTS, *ROLE_ACCESS_EVENTS)
def check_sockets(_event: Hint, realtime: Realtime) -> None:
    realtime.look_again()


LISTENERS = (leave_rooms, check_sockets)

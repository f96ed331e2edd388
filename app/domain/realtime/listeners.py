"""What happens to rooms and sockets when accounts, sessions or rights change."""

from app.domain.accounts.events import UserDeleted, UserErasing
from app.domain.auth.events import ROLE_ACCESS_EVENTS, USER_ACCESS_EVENTS, ApiKeyRevoked, SessionsEnded
from app.domain.realtime.events import RoomDeleted
from app.domain.realtime.names import room_channel
from app.domain.realtime.repositories import EXPIRE_EVENTS, FORGET_SENDER
from app.domain.realtime.services.rooms import remove_from_rooms
from app.lib.db.uow import UnitOfWork
from app.lib.events import EventEnvelope, Hint, after_commit, in_every_process, in_transaction
from app.lib.jobs import JobContext
from app.lib.realtime.log import ChannelWriter
from app.lib.realtime.service import Realtime


@in_transaction(UserErasing)
async def leave_rooms(event: UserErasing, unit: UnitOfWork, writer: ChannelWriter) -> None:
    if not await remove_from_rooms(event.user_id, unit, writer):
        event.more_is_left()


@after_commit("realtime:forget", UserDeleted, timeout=600)
async def forget_sender(envelope: EventEnvelope[UserDeleted], context: JobContext) -> None:
    """Messages stay, without their sender."""
    await context.in_batches(lambda unit: unit.execute(FORGET_SENDER, of_user=envelope.event.aggregate_id))


@after_commit("realtime:expire_messages", RoomDeleted, timeout=600)
async def expire_messages(envelope: EventEnvelope[RoomDeleted], context: JobContext) -> None:
    channel = room_channel(envelope.event.aggregate_id)
    await context.in_batches(lambda unit: unit.execute(EXPIRE_EVENTS, of_channel=channel))


@in_every_process(SessionsEnded, ApiKeyRevoked, *USER_ACCESS_EVENTS, *ROLE_ACCESS_EVENTS)
def check_sockets(_event: Hint, realtime: Realtime) -> None:
    realtime.check_sessions_now()


LISTENERS = (leave_rooms, forget_sender, expire_messages, check_sockets)

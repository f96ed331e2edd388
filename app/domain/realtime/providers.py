"""What the controllers of rooms and tickets have injected."""

from litestar.di import Provide

from app.domain.realtime.repositories.messages import MessageReads
from app.domain.realtime.repositories.reads import RoomReads
from app.domain.realtime.services.members import MemberService
from app.domain.realtime.services.news import DirectNews
from app.domain.realtime.services.queries import RoomQueries
from app.domain.realtime.services.rooms import RoomService
from app.lib.audit import Origin
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.http.injection import Injected
from app.lib.pagination.cursor import CursorCodec
from app.lib.realtime.hub import Hub


async def provide_room_queries(reader: Injected[Reader], cursors: Injected[CursorCodec]) -> RoomQueries:
    return RoomQueries(RoomReads(reader, cursors), MessageReads(reader, cursors))


async def provide_rooms(unit: Injected[UnitOfWork], hub: Injected[Hub], origin: Injected[Origin]) -> RoomService:
    return RoomService(unit, DirectNews(unit, hub), origin)


async def provide_room_members(
    unit: Injected[UnitOfWork], hub: Injected[Hub], origin: Injected[Origin]
) -> MemberService:
    return MemberService(unit, DirectNews(unit, hub), origin)


PROVIDERS = {
    "room_queries": Provide(provide_room_queries),
    "rooms": Provide(provide_rooms),
    "room_members": Provide(provide_room_members),
}

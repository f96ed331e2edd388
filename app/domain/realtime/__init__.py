"""Rooms, and channels over sockets and event streams."""

from app.domain.realtime.controllers.members import InvitationController, MemberController
from app.domain.realtime.controllers.rooms import RoomController
from app.domain.realtime.controllers.sockets import open_lobby, open_socket
from app.domain.realtime.controllers.stream import stream_events
from app.domain.realtime.controllers.tickets import create_ticket
from app.domain.realtime.jobs import JOBS
from app.domain.realtime.listeners import LISTENERS
from app.domain.realtime.permissions import PERMISSIONS
from app.domain.realtime.providers import PROVIDERS
from app.domain.realtime.subscribers import SUBSCRIBERS
from app.lib.domain import Domain

realtime = Domain(
    name="realtime",
    controllers=(RoomController, MemberController, InvitationController, create_ticket, stream_events, open_socket),
    root_handlers=(open_lobby,),
    providers=PROVIDERS,
    permissions=PERMISSIONS,
    listeners=(*LISTENERS, *SUBSCRIBERS),
    jobs=JOBS,
    tags=(
        ("Rooms", "Where people talk: public ones, and private ones by invitation."),
        ("Realtime", "Tickets for sockets, and a stream of events. The sockets themselves are described elsewhere."),
    ),
)

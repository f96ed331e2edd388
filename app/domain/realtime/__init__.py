"""Rooms, and channels over sockets and event streams."""

from pathlib import Path

from app.domain.realtime.audit import AUDIT_KINDS
from app.domain.realtime.build import build
from app.domain.realtime.channels import CHANNEL_KINDS
from app.domain.realtime.controllers.demo import demo_router
from app.domain.realtime.controllers.document import ASYNCAPI_PATH
from app.domain.realtime.controllers.messages import MessageController
from app.domain.realtime.controllers.rooms import RoomController
from app.domain.realtime.controllers.sockets import create_realtime_ticket, open_lobby, open_socket, stream_events
from app.domain.realtime.exports import EXPORTS
from app.domain.realtime.jobs import JOBS
from app.domain.realtime.listeners import LISTENERS
from app.domain.realtime.permissions import PERMISSIONS
from app.domain.realtime.settings import RealtimeSettings
from app.domain.realtime.steps import STEPS
from app.domain.realtime.webhooks import WEBHOOK_KINDS
from app.lib.domain import Domain, Link

realtime = Domain(
    name="realtime",
    exports=EXPORTS,
    settings=RealtimeSettings,
    build=build,
    controllers=(RoomController, MessageController, create_realtime_ticket, stream_events, open_socket),
    root_handlers=(open_lobby,),
    audit_kinds=AUDIT_KINDS,
    permissions=PERMISSIONS,
    listeners=LISTENERS,
    jobs=JOBS,
    webhook_kinds=WEBHOOK_KINDS,
    channel_kinds=CHANNEL_KINDS,
    development_handlers=lambda: (demo_router(),),
    mail_templates=(Path(__file__).parent / "templates",),
    links=(
        Link("asyncapi", "Realtime document (AsyncAPI)"),
        Link("demo", "Demo chat", {"file_name": "chat"}),
    ),
    notes=(f"Realtime channels have [a document of their own]({ASYNCAPI_PATH}).",),
    steps=STEPS,
    tag_group="Realtime",
    tags=(
        ("Rooms", "Public rooms, and private ones by invitation, where members talk."),
        ("Realtime", "Tickets for sockets, and a stream of events. Sockets have a document of their own."),
    ),
)

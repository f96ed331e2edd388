from app.domain.realtime.models import Room, RoomInvitation, RoomMember
from app.lib.export import export
from app.lib.realtime.tables import RealtimeEvent

_ROOM = (Room.created_at, Room.id, Room.name, Room.title, Room.visibility, Room.closed_at)

EXPORTS = (
    export("created_rooms", *_ROOM, of=Room.creator_id, by=[Room.created_at, Room.id]),
    export("owned_rooms", *_ROOM, of=Room.owner_id, by=[Room.created_at, Room.id]),
    export(
        "room_memberships", RoomMember.room_id, RoomMember.joined_at, of=RoomMember.user_id, by=[RoomMember.room_id]
    ),
    export(
        "room_invitations",
        RoomInvitation.room_id,
        RoomInvitation.created_at,
        of=RoomInvitation.user_id,
        by=[RoomInvitation.room_id],
    ),
    export(
        "sent_room_invitations",
        RoomInvitation.room_id,
        RoomInvitation.user_id,
        RoomInvitation.created_at,
        of=RoomInvitation.invited_by,
        by=[RoomInvitation.room_id, RoomInvitation.user_id],
    ),
    export(
        "messages",
        RealtimeEvent.created_at,
        RealtimeEvent.channel,
        RealtimeEvent.id,
        RealtimeEvent.event,
        RealtimeEvent.data,
        RealtimeEvent.edited_at,
        of=RealtimeEvent.sender_id,
        by=[RealtimeEvent.created_at, RealtimeEvent.channel, RealtimeEvent.id],
    ),
)

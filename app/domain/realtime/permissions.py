from app.lib.domain import Permission

ROOMS_READ = "rooms:read"
ROOMS_WRITE = "rooms:write"

PERMISSIONS = (
    Permission(ROOMS_READ, "Read all rooms, private ones too, their members and messages."),
    Permission(ROOMS_WRITE, "Update, close and delete all rooms and their messages, invite users and remove members."),
)

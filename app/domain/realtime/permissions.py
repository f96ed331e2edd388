from app.lib.domain import Permission

ROOMS_READ = "rooms:read"
ROOMS_WRITE = "rooms:write"

PERMISSIONS = (
    Permission(ROOMS_READ, "Read all rooms, private ones too, their members and messages."),
    Permission(ROOMS_WRITE, "Update and close all rooms, invite users and remove members."),
)

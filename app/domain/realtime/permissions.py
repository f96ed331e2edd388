from app.lib.domain import Permission

ROOMS_READ = "rooms:read"
ROOMS_WRITE = "rooms:write"

PERMISSIONS = (
    Permission(ROOMS_READ, "See all rooms, private ones too, who is in them and what was said there."),
    Permission(ROOMS_WRITE, "Change and close all rooms, invite to them and remove people from them."),
)

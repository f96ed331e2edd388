from app.lib.events import Event, event


@event("room.deleted")
class RoomDeleted(Event, frozen=True, kw_only=True):
    """A room was deleted. Its messages expire; no one can read them any more."""

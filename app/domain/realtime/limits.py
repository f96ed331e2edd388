"""How much there may be."""

MAX_MEMBERS = 1_000
"""Of a room: everybody in it gets every message of it."""
MAX_INVITATIONS = 1_000
"""Of a room, that nobody has followed yet."""
MAX_OWNED = 100
"""Open rooms of one owner."""
MAX_ROOM_NAME = 64
TICKET_SECONDS = 30.0
"""From asking for a ticket to connecting with it."""

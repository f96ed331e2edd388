"""What the AsyncAPI document says about this service's channels."""

from typing import Any, Final

from app.config import Settings
from app.core import PRODUCT, VERSION
from app.lib.realtime.document import Described, describe

SOCKET_PATH: Final = "/api/v1/realtime"
STREAM_PATH: Final = "/api/v1/realtime/events"
LOBBY_PATH: Final = "/ws/{client_id}"

_DESCRIPTION: Final = (
    "Channels over one WebSocket or one stream of Server-Sent Events. Events of a channel have contiguous ids and come "
    "in their order; whoever was away resumes with `since`, without a gap or a double. Limits: 10 sockets a person, "
    "100 channels a socket, 20 frames a second, 65 536 bytes a frame. The server pings every 25 seconds. Reference "
    "clients in JavaScript and Python are in `clients/`."
)
_KINDS: Final = {
    "room:{name}": (
        "Members of the room publish and listen, see who is there, and resume however long they were away. "
        "The service tells `room.closed` and the like; `GET /api/v1/rooms/{id}/messages` is the history."
    ),
    "user:{id}": "That person listens.",
    "orders:{id}": "The customer and holders of `orders:read` listen: `order.placed`, `order.paid` and so on.",
    "posts": "Whoever is signed in listens: `post.published`, `post.updated`, `post.deleted`.",
    "presence:{name}": "Whoever is signed in sees who else is there.",
}


def realtime_document(settings: Settings) -> dict[str, Any]:
    """The document, as plain JSON values."""
    return describe(
        Described(
            title=f"{PRODUCT} realtime",
            version=VERSION,
            description=_DESCRIPTION,
            base_url=settings.base_url,
            socket_path=SOCKET_PATH,
            stream_path=STREAM_PATH,
            plain_path=LOBBY_PATH,
            kinds=_KINDS,
        )
    )

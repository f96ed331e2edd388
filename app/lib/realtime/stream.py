"""A socket that only listens, for Server-Sent Events."""

from collections.abc import Mapping
from typing import ClassVar

from app.lib.realtime.channels import parse_channel
from app.lib.realtime.errors import refusal_of
from app.lib.realtime.frames import MAX_ID, CloseCode, Event, Presence, Subscribed, Unsubscribed, encode_frame
from app.lib.realtime.sockets import Socket, SocketContext, SocketKind
from app.lib.security.principal import Principal


def parse_positions(text: str) -> dict[str, int]:
    """``posts=12,room:x=5`` as ids by channel; empty for an empty text. Raises ``ValueError``."""
    found: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        channel, _, number = part.partition("=")
        if not (number.isascii() and number.isdecimal()) or len(number) > len(str(MAX_ID)):
            raise ValueError("expected channel=id, separated by commas")
        found[str(parse_channel(channel))] = int(number)
    return found


def format_positions(positions: Mapping[str, int]) -> str:
    """Ids by channel as text; see :func:`parse_positions`."""
    return ",".join(f"{channel}={number}" for channel, number in positions.items())


class EventStream(Socket):
    """Subscribes to ``channels``, each from its position (None: from now on), and sends frames as events.

    The ``id`` of an event is the positions of all channels. Run it with an :class:`.transports.EventStreamTransport`.
    """

    kind: ClassVar[SocketKind] = "stream"
    ping_text: ClassVar[str | None] = ": ping\n\n"
    answers_pings: ClassVar[bool] = False

    def __init__(self, principal: Principal, context: SocketContext, channels: Mapping[str, int | None]) -> None:
        super().__init__(principal, context)
        self._wanted = dict(channels)
        self._positions = {channel: since for channel, since in channels.items() if since is not None}

    async def opened(self) -> None:
        """Subscribes to everything. A channel that was allowed a moment ago and is not now is sent as ended."""
        self.put("retry: 2000\n\n")
        for channel, since in tuple(self._wanted.items()):
            try:
                await self.subscribe(channel, since)
            except Exception as exc:  # noqa: BLE001 - sent to the client, and logged where it is a bug
                self.ended(channel, refusal_of(exc).code)

    def subscribed(self, frame: Subscribed, since: int | None) -> None:
        """Sends the frame."""
        self.channels.add(frame.channel)
        replays = frame.recovered and frame.missed
        self._positions[frame.channel] = since if replays and since is not None else frame.last_id
        self._send("subscribed", encode_frame(frame))

    def deliver(self, event: Event, text: str) -> None:
        """Sends the frame, with an id that the client can come back to."""
        self._positions[event.channel] = event.id
        self._send("event", text)

    def show_presence(self, frame: Presence, text: str) -> None:
        """Sends the frame."""
        self._send("presence", text)

    def ended(self, channel: str, reason: str) -> None:
        """Sends the reason. The stream ends with its last channel."""
        self.channels.discard(channel)
        self._wanted.pop(channel, None)
        self._positions.pop(channel, None)
        self._send("unsubscribed", encode_frame(Unsubscribed(channel=channel, reason=reason)))
        if not self._wanted:
            self.close(CloseCode.FORBIDDEN)

    def _send(self, event: str, data: str) -> None:
        # Not before all are known: a client that came back with a part of them would miss what the others had.
        is_complete = self._positions.keys() >= self._wanted.keys()
        position = f"id: {format_positions(self._positions)}\n" if is_complete else ""
        # Outside of strings, where they are escaped, line ends mean nothing in JSON, but end a field here.
        line = data.replace("\n", " ").replace("\r", " ")
        self.put(f"{position}event: {event}\ndata: {line}\n\n")

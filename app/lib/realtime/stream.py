"""A socket that only listens, for Server-Sent Events."""

from collections.abc import Mapping
from typing import ClassVar

from app.lib.realtime.events import Delivery
from app.lib.realtime.frames import MAX_ID, CloseCode, Member, Presence, Subscribed, Unsubscribed, encode_frame
from app.lib.realtime.names import parse_channel
from app.lib.realtime.refusals import refusal_of
from app.lib.realtime.sockets import Socket, SocketKind
from app.lib.realtime.subscribing import Greeting
from app.lib.security.principal import Principal

HEADERS = ((b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))


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
    """The other way round."""
    return ",".join(f"{channel}={number}" for channel, number in positions.items())


class EventStream(Socket):
    """Subscribes to ``channels``, each from its position (None: from now on), and sends what comes as events whose
    ``id`` is the positions of all of them. Run it with an :class:`.transports.EventStreamTransport`.
    """

    kind: ClassVar[SocketKind] = "stream"
    ping_text: ClassVar[str | None] = ": ping\n\n"
    answers_pings: ClassVar[bool] = False

    def __init__(self, principal: Principal, channels: Mapping[str, int | None]) -> None:
        super().__init__(principal)
        self._wanted = dict(channels)
        self._positions = {channel: since for channel, since in channels.items() if since is not None}

    async def opened(self) -> None:
        """Subscribes to everything. What is refused now although it was granted a moment ago is told as ended."""
        self.put("retry: 2000\n\n")
        for channel, since in self._wanted.items():
            try:
                await self._subscribe(channel, since)
            except Exception as exc:  # noqa: BLE001 - told to the client, and logged where it is a bug
                self.ended(channel, refusal_of(exc).code)

    def deliver(self, delivery: Delivery) -> None:
        """With an id, so that the client can come back to it."""
        self._positions[delivery.channel] = delivery.id
        self._send("event", delivery.frame)

    def show_presence(self, frame: Presence, text: str) -> None:
        """As it is."""
        self._send("presence", text)

    def ended(self, channel: str, reason: str) -> None:
        """Tells the peer. Nothing is left to wait for when all have ended."""
        self.channels.discard(channel)
        self._wanted.pop(channel, None)
        self._positions.pop(channel, None)
        self._send("unsubscribed", encode_frame(Unsubscribed(channel=channel, reason=reason)))
        if not self._wanted:
            self.close(CloseCode.FORBIDDEN)

    async def _subscribe(self, channel: str, since: int | None) -> None:
        name = parse_channel(channel)

        async def admit() -> Member | None:
            return (await self.surroundings.gate.subscribe(self.principal, name)).member

        def greet(greeting: Greeting) -> None:
            self.channels.add(channel)
            replays = greeting.recovered and greeting.missed
            self._positions[channel] = since if replays and since is not None else greeting.last_id
            frame = Subscribed(
                channel=channel,
                ref=None,
                last_id=greeting.last_id,
                recovered=greeting.recovered,
                missed=greeting.missed,
                presence=greeting.presence,
            )
            self._send("subscribed", encode_frame(frame))

        await self.surroundings.hub.attach(self, channel, greet, admit=admit, since=since)

    def _send(self, event: str, data: str) -> None:
        # Not before all are known: who came back with a part of them would miss what the others had.
        is_complete = self._positions.keys() >= self._wanted.keys()
        position = f"id: {format_positions(self._positions)}\n" if is_complete else ""
        # Outside of strings, where they are escaped, the ends of lines mean nothing to JSON, but all to the stream.
        line = data.replace("\n", " ").replace("\r", " ")
        self.put(f"{position}event: {event}\ndata: {line}\n\n")

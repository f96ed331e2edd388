"""The protocols of sockets, frames over a WebSocket and Server-Sent Events, and their transports (ASGI)."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from litestar.types import Receive, Send

from app.lib.realtime.channels import NewEvent, split_channel
from app.lib.realtime.errors import InvalidData, MessageTooLarge, NotSubscribed, RealtimeError, refusal_of
from app.lib.realtime.frames import (
    MAX_ID,
    NOT_UNICODE,
    Ack,
    BadFrame,
    ClientFrame,
    CloseCode,
    Error,
    Event,
    NotUnicode,
    Ping,
    Pong,
    Presence,
    Publish,
    Refresh,
    Refreshed,
    ServerFrame,
    ServerPong,
    Subscribe,
    Subscribed,
    Unsubscribed,
    check_data,
    decode_frame,
    encode_frame,
)
from app.lib.realtime.sockets import Socket, SocketContext, SocketKind
from app.lib.security.principal import Principal

_ANSWER_SECONDS = 2.0
_HEADERS = ((b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))


class Connection(Socket):
    """The JSON protocol of :mod:`.frames`. Frames are handled in the order in which they come."""

    async def on_text(self, text: str) -> None:
        """A frame."""
        try:
            frame = decode_frame(text, self.context.options.max_message_bytes)
        except BadFrame as exc:
            self.close(CloseCode.BAD_FRAME, str(exc))
            return
        except NotUnicode as exc:
            self._refuse(exc.frame, InvalidData(NOT_UNICODE))
            return
        try:
            await self._handle(frame)
        except Exception as exc:  # noqa: BLE001 - answered to the client, and logged where it is a bug
            self._refuse(frame, refusal_of(exc))

    async def _handle(self, frame: ClientFrame) -> None:
        if isinstance(frame, Publish):
            await self.context.access.check_publish(self.principal, frame.channel, frame.event)
            data = bytes(frame.data)
            if len(data) > (most := self.context.options.max_message_bytes):
                raise MessageTooLarge(most)
            check_data(data)
            event = NewEvent(channel=frame.channel, event=frame.event, data=data, sender=self.user_id, key=frame.key)
            await self.context.publish(event, lambda event_id: self._answer(Ack(id=event_id, ref=frame.ref)))
        elif isinstance(frame, Subscribe):
            await self.subscribe(frame.channel, frame.since, frame.ref)
        elif isinstance(frame, Ping):
            self._answer(ServerPong(ref=frame.ref))
        elif isinstance(frame, Refresh):
            renewed = await self.context.access.people.refresh(self.principal, frame.token)
            self.principal = renewed.principal
            self._answer(Refreshed(expires_at=renewed.expires_at, ref=frame.ref))
        elif not isinstance(frame, Pong):
            split_channel(frame.channel)
            if not self.context.detach(self, frame.channel):
                raise NotSubscribed
            self.channels.discard(frame.channel)
            self._answer(Unsubscribed(channel=frame.channel, ref=frame.ref))

    def _answer(self, frame: ServerFrame) -> None:
        self.put(encode_frame(frame))

    def _refuse(self, frame: ClientFrame, error: RealtimeError) -> None:
        channel = None if isinstance(frame, Ping | Pong | Refresh) else frame.channel
        ref = None if isinstance(frame, Pong) else frame.ref
        self._answer(Error(code=error.code, detail=error.detail, retryable=error.retryable, ref=ref, channel=channel))


def parse_positions(text: str) -> dict[str, int]:
    """``posts=12,room:x=5`` as ids by channel; empty for an empty text. Raises ``ValueError``."""
    found: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        channel, _, number = part.partition("=")
        if not (number.isascii() and number.isdecimal()) or len(number) > len(str(MAX_ID)):
            raise ValueError("expected channel=id, separated by commas")
        split_channel(channel)
        found[channel] = int(number)
    return found


def format_positions(positions: Mapping[str, int]) -> str:
    """Ids by channel as text; see :func:`parse_positions`."""
    return ",".join(f"{channel}={number}" for channel, number in positions.items())


class EventStream(Socket):
    """Subscribes to ``channels``, each from its position (None: from now on), and sends frames as events.

    The ``id`` of an event is the positions of all channels. Run it with an :class:`EventStreamTransport`.
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


class _AsgiTransport:
    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send


class WebSocketTransport(_AsgiTransport):
    """A WebSocket that is being opened (ASGI, section WebSocket)."""

    async def accept(self) -> None:
        """Answers the handshake, which is the first message."""
        await self._receive()
        await self._send({"type": "websocket.accept", "subprotocol": None, "headers": []})

    async def receive(self) -> str | bytes | None:
        """The next message; None when the peer is gone."""
        message: Any = await self._receive()
        if message["type"] == "websocket.disconnect":
            return None
        text: str | None = message.get("text")
        return text if text is not None else bytes(message.get("bytes") or b"")

    async def send(self, text: str) -> None:
        """One text message."""
        await self._send({"type": "websocket.send", "text": text, "bytes": None})

    async def close(self, code: int, reason: str) -> None:
        """The closing frame. Returns when the peer has answered it, has gone, or has had time enough.

        What it still sends until then is read: a connection that ends with unread data is reset, and the peer might
        lose the frame (RFC 1122, section 4.2.2.13).
        """
        await self._send({"type": "websocket.close", "code": code, "reason": reason})
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                while await self.receive() is not None:
                    pass


class EventStreamTransport(_AsgiTransport):
    """A response that has not begun (WHATWG HTML, section 9.2)."""

    async def accept(self) -> None:
        """Begins the response."""
        await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})

    async def receive(self) -> str | bytes | None:
        """Waits for the peer to go; everything else is ignored."""
        while True:
            message: Any = await self._receive()
            if message["type"] == "http.disconnect":
                return None

    async def send(self, text: str) -> None:
        """One event, already in its form."""
        await self._send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    async def close(self, code: int, reason: str) -> None:
        """An event that says why, and the end. Clients come back by themselves."""
        await self.send(f'event: close\ndata: {{"code":{code}}}\n\n')
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

"""The protocols of sockets, frames over a WebSocket and Server-Sent Events, and their transports (ASGI)."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from litestar.types import Receive, Send

from app.lib.realtime import frames
from app.lib.realtime.channels import NewEvent, split_channel
from app.lib.realtime.errors import FrameCode, InvalidData, RealtimeError, refusal_of
from app.lib.realtime.sockets import Socket, SocketContext, SocketKind
from app.lib.security.principal import Principal

_ANSWER_SECONDS = 2.0
_HEADERS = ((b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))


class Connection(Socket):
    """The JSON protocol of :mod:`.frames`. Frames are handled in the order in which they come."""

    async def on_text(self, text: str) -> None:
        """A frame."""
        try:
            frame = frames.decode_frame(text, self.context.options.max_message_bytes)
        except frames.BadFrame as exc:
            self.close(frames.CloseCode.BAD_FRAME, str(exc))
            return
        except frames.NotUnicode as exc:
            self._refuse(exc.frame, InvalidData(frames.NOT_UNICODE))
            return
        try:
            await self._handle(frame)
        except Exception as exc:  # noqa: BLE001 - answered to the client, and logged where it is a bug
            self._refuse(frame, refusal_of(exc))

    async def _handle(self, frame: frames.ClientFrame) -> None:
        if isinstance(frame, frames.Publish):
            await self.context.access.check_publish(self.principal, frame.channel, frame.event)
            data = bytes(frame.data)
            if len(data) > (most := self.context.options.max_message_bytes):
                raise RealtimeError(f"Data may have {most} bytes at most.", FrameCode.TOO_LARGE)
            frames.check_data(data)
            event = NewEvent(channel=frame.channel, event=frame.event, data=data, sender=self.user_id, key=frame.key)
            await self.context.publish(event, lambda event_id: self.send(frames.Ack(id=event_id, ref=frame.ref)))
        elif isinstance(frame, frames.Subscribe):
            await self.subscribe(frame.channel, frame.since, frame.ref)
        elif isinstance(frame, frames.Ping):
            self.send(frames.ServerPong(ref=frame.ref))
        elif isinstance(frame, frames.Refresh):
            self.principal, expires_at = await self.context.access.people.refresh(self.principal, frame.token)
            self.send(frames.Refreshed(expires_at=expires_at, ref=frame.ref))
        elif not isinstance(frame, frames.Pong):
            split_channel(frame.channel)
            if not self.context.detach(self, frame.channel):
                raise RealtimeError("This socket is not subscribed to the channel.", FrameCode.NOT_SUBSCRIBED)
            self.send(frames.Unsubscribed(channel=frame.channel, ref=frame.ref))

    def _refuse(self, frame: frames.ClientFrame, error: RealtimeError) -> None:
        channel = None if isinstance(frame, frames.Ping | frames.Pong | frames.Refresh) else frame.channel
        ref = None if isinstance(frame, frames.Pong) else frame.ref
        code, detail, retryable = error.code, error.detail, error.retryable
        self.send(frames.Error(code=code, detail=detail, retryable=retryable, ref=ref, channel=channel))


def parse_positions(text: str) -> dict[str, int]:
    """``posts=12,room:x=5`` as ids by channel; empty for an empty text."""
    parts = (part.partition("=") for part in text.split(",") if part)
    return {channel: int(number) for channel, _, number in parts}


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
                self.send(frames.Unsubscribed(channel=channel, reason=refusal_of(exc).code))

    def send(self, frame: frames.ServerFrame, text: str | None = None) -> None:
        """Sends a frame, with an id that the client can come back to. The stream ends with its last channel."""
        if isinstance(frame, frames.Subscribed):
            replayed = frame.missed if frame.recovered else None
            self._positions[frame.channel] = frame.last_id - (replayed or 0)
        elif isinstance(frame, frames.Event):
            self._positions[frame.channel] = frame.id
        elif isinstance(frame, frames.Unsubscribed):
            self._wanted.pop(frame.channel, None)
            self._positions.pop(frame.channel, None)
        # Not before all are known: a client that came back with a part of them would miss what the others had.
        is_complete = self._positions.keys() >= self._wanted.keys()
        position = ",".join(f"{channel}={number}" for channel, number in self._positions.items())
        position = f"id: {position}\n" if is_complete else ""
        # Outside of strings, where they are escaped, line ends mean nothing in JSON, but end a field here.
        line = (text or frames.encode_frame(frame)).replace("\n", " ").replace("\r", " ")
        self.put(f"{position}event: {frame.__struct_config__.tag}\ndata: {line}\n\n")
        if not self._wanted:
            self.close(frames.CloseCode.FORBIDDEN)


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

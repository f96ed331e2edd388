"""The protocol of frames on one socket, and the limits of what a peer may send."""

import time
from abc import ABC, abstractmethod
from typing import Any
from uuid import UUID

from app.lib.realtime.data import HALF_A_SURROGATE, check_data
from app.lib.realtime.errors import InvalidData, NotSubscribed, RealtimeError, TooManyChannels
from app.lib.realtime.events import NewEvent
from app.lib.realtime.frames import (
    MAX_FRAME_BYTES,
    Ack,
    BadFrame,
    ClientFrame,
    CloseCode,
    Error,
    Member,
    NotUnicode,
    Ping,
    Pong,
    Publish,
    Refresh,
    Refreshed,
    ServerFrame,
    ServerPong,
    Subscribe,
    Subscribed,
    Unsubscribed,
    decode_frame,
    encode_frame,
)
from app.lib.realtime.names import parse_channel
from app.lib.realtime.refusals import refusal_of
from app.lib.realtime.sockets import Socket
from app.lib.realtime.subscribing import Greeting

MESSAGES_PER_SECOND = 20.0
BURST = 20
"""At once, by whoever was quiet for a second. Clients that come back with many channels pace themselves."""


class TextSocket(Socket, ABC):
    """A socket that takes texts, within the limits of size and rate."""

    def __init__(self, principal: Any, label: str | None = None) -> None:
        super().__init__(principal, label)
        self._tokens = float(BURST)
        self._counted_at = time.monotonic()

    async def received(self, message: str | bytes) -> None:
        """Closes the socket when the peer oversteps a limit."""
        if isinstance(message, bytes):
            self.close(CloseCode.BAD_FRAME, "binary")
        elif _is_too_large(message):
            self.close(CloseCode.TOO_LARGE, "too large")
        else:
            await self.on_text(message)

    @abstractmethod
    async def on_text(self, text: str) -> None:
        """A message within the limits. The next one has to wait until this returns."""

    def heard(self) -> bool:
        """A token bucket, by the times at which messages come, not at which they are looked at."""
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._counted_at) * MESSAGES_PER_SECOND)
        self._counted_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _is_too_large(text: str) -> bool:
    if len(text) > MAX_FRAME_BYTES:
        return True
    return len(text) * 4 > MAX_FRAME_BYTES and len(text.encode(errors="replace")) > MAX_FRAME_BYTES


class Connection(TextSocket):
    """The JSON protocol of :mod:`.frames`. Frames are handled in the order in which they come."""

    async def on_text(self, text: str) -> None:
        """A frame."""
        try:
            frame = decode_frame(text)
        except BadFrame as exc:
            self.close(CloseCode.BAD_FRAME, str(exc))
            return
        except NotUnicode as exc:
            self._refuse(exc.frame, InvalidData(HALF_A_SURROGATE))
            return
        try:
            await self._handle(frame)
        except Exception as exc:  # noqa: BLE001 - told to the client, and logged where it is a bug
            self._refuse(frame, refusal_of(exc))

    async def _handle(self, frame: ClientFrame) -> None:
        if isinstance(frame, Publish):
            await self._publish(frame)
        elif isinstance(frame, Subscribe):
            await self._subscribe(frame)
        elif isinstance(frame, Ping):
            self._tell(ServerPong(ref=frame.ref))
        elif isinstance(frame, Refresh):
            await self._refresh(frame)
        elif not isinstance(frame, Pong):
            self._unsubscribe(frame.channel, frame.ref)

    async def _subscribe(self, frame: Subscribe) -> None:
        channel = parse_channel(frame.channel)
        if self.is_gone:
            return
        if frame.channel not in self.channels and len(self.channels) >= self.surroundings.max_channels:
            raise TooManyChannels

        async def admit() -> Member | None:
            return (await self.surroundings.gate.subscribe(self.principal, channel)).member

        def greet(greeting: Greeting) -> None:
            self.channels.add(frame.channel)
            self._tell(
                Subscribed(
                    channel=frame.channel,
                    ref=frame.ref,
                    last_id=greeting.last_id,
                    recovered=greeting.recovered,
                    missed=greeting.missed,
                    presence=greeting.presence,
                )
            )

        await self.surroundings.hub.attach(self, frame.channel, greet, admit=admit, since=frame.since)

    def _unsubscribe(self, channel: str, ref: str | None) -> None:
        parse_channel(channel)
        if not self.surroundings.hub.detach(self, channel):
            raise NotSubscribed
        self.channels.discard(channel)
        self._tell(Unsubscribed(channel=channel, ref=ref))

    async def _publish(self, frame: Publish) -> None:
        await self.surroundings.gate.publish(self.principal, parse_channel(frame.channel), frame.event)
        check_data(bytes(frame.data))
        event = NewEvent(
            channel=frame.channel,
            event=frame.event,
            data=bytes(frame.data),
            sender=self._sender,
            key=frame.key,
        )

        def acknowledge(event_id: int) -> None:
            self._tell(Ack(id=event_id, ref=frame.ref))

        await self.surroundings.hub.publish(event, acknowledge=acknowledge)

    @property
    def _sender(self) -> UUID:
        return self.principal.user_id

    async def _refresh(self, frame: Refresh) -> None:
        renewed = await self.surroundings.gate.refresh(self.principal, frame.token)
        self.principal = renewed.principal
        self._tell(Refreshed(expires_at=renewed.expires_at, ref=frame.ref))

    def _tell(self, frame: ServerFrame) -> None:
        self.put(encode_frame(frame))

    def _refuse(self, frame: ClientFrame, error: RealtimeError) -> None:
        channel = None if isinstance(frame, Ping | Pong | Refresh) else frame.channel
        ref = None if isinstance(frame, Pong) else frame.ref
        self._tell(Error(code=error.code, detail=error.detail, retryable=error.retryable, ref=ref, channel=channel))

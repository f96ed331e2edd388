"""A person's socket, in any protocol: its queues, its end, and what the hub delivers to it."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import ClassVar, Literal, Protocol
from uuid import UUID

import structlog

from app.lib.db.base import new_id
from app.lib.realtime.channels import ChannelAccess, Member, NewEvent, split_channel
from app.lib.realtime.errors import FrameCode, RealtimeError
from app.lib.realtime.frames import MAX_FRAME_BYTES, CloseCode, ServerFrame, ServerPing, encode_frame
from app.lib.realtime.options import RealtimeOptions
from app.lib.realtime.queues import BoundedQueue
from app.lib.security.principal import Principal

log = structlog.stdlib.get_logger(__name__)

SocketKind = Literal["socket", "stream", "lobby"]

MESSAGES_PER_SECOND = 20.0
BURST = 20
"""At once, after a second without a message. Clients that come back with many channels pace themselves."""

_MAX_INCOMING_SIZE = 4 << 20
_MAX_OUTGOING_SIZE = 1 << 20
_ROOM_SECONDS = 10.0
_LAST_SEND_SECONDS = 1.0


class Transport(Protocol):
    """A WebSocket, or the like. All methods may wait for ever; they are cancelled when it is too long.

    ``receive`` returns None when the peer is gone.
    """

    async def accept(self) -> None: ...
    async def receive(self) -> str | bytes | None: ...
    async def send(self, text: str) -> None: ...
    async def close(self, code: int, reason: str) -> None: ...


class SocketContext(Protocol):
    """What a socket needs of its process: see :class:`.service.Realtime`."""

    @property
    def access(self) -> ChannelAccess: ...
    @property
    def options(self) -> RealtimeOptions: ...
    @property
    def closed(self) -> Counter[CloseCode]: ...

    async def attach(
        self, socket: "Socket", channel: str, *, since: int | None = None, ref: str | None = None
    ) -> None: ...
    def detach(self, socket: "Socket", channel: str, reason: str | None = None) -> bool: ...
    async def publish(self, event: NewEvent, acknowledge: Callable[[int], None] | None = None) -> int: ...
    def check_again(self, socket: "Socket", channels: Iterable[str]) -> None: ...


class Socket:
    """A subscriber with a bounded queue, which a task sends.

    Another task reads all the time, so that the end of a peer is noticed in every situation: a server keeps what is
    sent to a peer that has gone, and its memory grows. A peer that oversteps a limit of size or rate is closed.

    Subclasses say what comes in (:meth:`opened`, :meth:`on_text`) and how frames look (:meth:`send`).
    """

    kind: ClassVar[SocketKind] = "socket"
    ping_text: ClassVar[str | None] = encode_frame(ServerPing())
    """What is sent as a sign of life; None for none."""
    answers_pings: ClassVar[bool] = True
    """Whether silence means that the peer is gone."""

    def __init__(self, principal: Principal, context: SocketContext) -> None:
        self.id: UUID = new_id()
        self.principal = principal
        self.context = context
        self.channels: set[str] = set()
        """Those that it is subscribed to; the hub keeps them."""
        self.close_code: CloseCode | None = None
        self.close_reason = ""
        self.is_gone = False
        self._heard_at = time.monotonic()
        self._pinged_at = 0.0
        self._unanswered = 0
        self._pinging: asyncio.TimerHandle | None = None
        self._tokens = float(BURST)
        self._outgoing = BoundedQueue[str](_MAX_OUTGOING_SIZE)
        self._transport: Transport
        self._scope: asyncio.Timeout | None = None

    @property
    def user_id(self) -> UUID:
        """Of its person."""
        return self.principal.user_id

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Ends the socket and drops what was not sent; the first call counts. The reason has at most 120 bytes."""
        if self.close_code is not None:
            return
        self.close_code, self.close_reason = code, reason[:120]
        self.context.closed[code] += 1
        self._outgoing.clear()
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())

    def put(self, text: str) -> None:
        """Queues a message for the peer; nothing after the end."""
        if self.close_code is None and not self.is_gone and not self._outgoing.put(text):
            self.close(CloseCode.TOO_SLOW, "too slow")

    async def subscribe(self, channel: str, since: int | None, ref: str | None = None) -> None:
        """Subscribes to a channel, as far as the person may. Raises a ``RealtimeError``."""
        split_channel(channel)  # before the database sees it
        if self.is_gone:
            return
        if channel not in self.channels and len(self.channels) >= self.context.options.max_channels:
            detail = "This socket has reached the maximum number of channels."
            raise RealtimeError(detail, FrameCode.TOO_MANY_CHANNELS)
        await self.context.attach(self, channel, since=since, ref=ref)

    def leave_channels(self) -> None:
        """Ends all subscriptions. Called when the peer has gone, and at the end."""
        for channel in tuple(self.channels):
            self.context.detach(self, channel)

    # For subclasses

    async def accept(self, transport: Transport) -> None:
        """Called once, before anything is read."""
        await transport.accept()

    async def opened(self) -> None:
        """Called once, before the first :meth:`on_text`."""

    async def on_text(self, text: str) -> None:
        """A message within the limits. The next one has to wait until this returns."""

    # Called by the hub

    async def admit(self, channel: str) -> Member | None:
        """Checks whether the person may listen. Raises a ``RealtimeError``."""
        return await self.context.access.check_subscribe(self.principal, channel)

    def send(self, frame: ServerFrame, text: str | None = None) -> None:
        """Queues a frame. ``text`` is the same, encoded once where many sockets get it."""
        self.put(text or encode_frame(frame))

    async def has_room(self) -> None:
        """Waits for a peer that is slow, but not for ever."""
        try:
            async with asyncio.timeout(_ROOM_SECONDS):
                await self._outgoing.has_room()
        except TimeoutError:
            self.close(CloseCode.TOO_SLOW, "too slow")

    # Running

    async def run(self, transport: Transport) -> None:
        """Runs to its end: until the peer goes, or the service closes it."""
        self._transport = transport
        writer: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(None) as self._scope:
                await self.accept(transport)
                writer = asyncio.create_task(self._write())
                self._ping_after(random.uniform(0.5, 1))  # noqa: S311 - spreads the load, no secret
                if self.close_code is None:
                    await self._converse()
        except TimeoutError:
            if self.close_code is None:
                raise
        except Exception:
            log.exception("realtime.socket_failed", socket_id=str(self.id))
            self.close(CloseCode.INTERNAL_ERROR)
        finally:
            self._scope = None
            if self._pinging is not None:
                self._pinging.cancel()
            self.leave_channels()
            self._outgoing.clear()
            self._outgoing.end()
            if writer is not None:
                # What is being sent is sent, if the peer reads: granian cannot close a socket whose send was cancelled.
                await asyncio.wait({writer}, timeout=_LAST_SEND_SECONDS)
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)
            if not self.is_gone:
                # A peer that does not read may not even get this; then the connection is dropped.
                with suppress(TimeoutError, OSError, RuntimeError):
                    async with asyncio.timeout(self.context.options.close_seconds):
                        await transport.close(self.close_code or CloseCode.RESTARTING, self.close_reason)

    async def _converse(self) -> None:
        """Until the peer has gone, and all that it sent before was handled."""
        incoming = BoundedQueue[str | bytes](_MAX_INCOMING_SIZE)
        reader = asyncio.create_task(self._read(incoming))
        try:
            await self.opened()
            while self.close_code is None and (message := await incoming.next()) is not None:
                if isinstance(message, bytes):
                    self.close(CloseCode.BAD_FRAME, "binary")
                elif len(message) * 4 > MAX_FRAME_BYTES and len(message.encode(errors="replace")) > MAX_FRAME_BYTES:
                    self.close(CloseCode.TOO_LARGE, "too large")
                else:
                    await self.on_text(message)
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, incoming: BoundedQueue[str | bytes]) -> None:
        try:
            while (message := await self._transport.receive()) is not None:
                # A token bucket, by the times at which messages come, not at which they are handled.
                now = time.monotonic()
                self._tokens = min(BURST, self._tokens + (now - self._heard_at) * MESSAGES_PER_SECOND) - 1
                self._heard_at = now
                if self._tokens < 0 or not incoming.put(message):
                    self.close(CloseCode.TOO_FAST, "too fast")
                    return
            self.is_gone = True
            self._outgoing.clear()
            self.leave_channels()
        except Exception:
            log.exception("realtime.socket_failed", socket_id=str(self.id))
            self.close(CloseCode.INTERNAL_ERROR)
        finally:
            incoming.end()

    async def _write(self) -> None:
        try:
            while (text := await self._outgoing.next()) is not None:
                await self._transport.send(text)
        except Exception as exc:
            # The peer went while we were writing; the reader notices, too, but perhaps much later.
            log.debug("realtime.send_failed", error=type(exc).__name__, exc_info=exc)
            self.close(CloseCode.GONE, "gone")

    def _ping_after(self, share: float = 1.0) -> None:
        """Pings when this share of the usual time is over."""
        if self.ping_text is not None:
            options = self.context.options
            seconds = options.ping_seconds if self.answers_pings else options.stream_ping_seconds
            self._pinging = asyncio.get_running_loop().call_later(share * seconds, self._ping, self.ping_text)

    def _ping(self, text: str) -> None:
        """Sends a sign of life, or closes the socket when the peer was silent during two."""
        is_silent = self.answers_pings and self._heard_at < self._pinged_at
        self._unanswered = self._unanswered + 1 if is_silent else 0
        if self._unanswered >= 2:  # noqa: PLR2004 - two pings
            self.close(CloseCode.GONE, "no sign of life")
            return
        self._pinged_at = time.monotonic()
        self.put(text)
        self._ping_after()

"""A person's socket, whatever it speaks: its queue, its end, and what the hub tells it."""

import asyncio
import time
from contextlib import suppress
from typing import ClassVar, Literal, Protocol
from uuid import UUID

import structlog

from app.lib.db.base import new_id
from app.lib.realtime.events import Delivery
from app.lib.realtime.frames import CloseCode, Presence, ServerPing, Unsubscribed, encode_frame
from app.lib.realtime.gate import Gate
from app.lib.realtime.hub import Hub
from app.lib.realtime.incoming import Incoming
from app.lib.realtime.outgoing import Outgoing
from app.lib.security.principal import Principal

log = structlog.stdlib.get_logger(__name__)

SocketKind = Literal["socket", "stream", "lobby"]

_ROOM_SECONDS = 10.0
_LAST_SEND_SECONDS = 1.0


class Transport(Protocol):
    """An accepted WebSocket, or whatever is like one. All may wait for ever; they are cancelled when it is too long."""

    async def receive(self) -> str | bytes | None:
        """The next message; None when the peer is gone."""
        ...

    async def send(self, text: str) -> None:
        """One message."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Says good-bye."""
        ...


class Surroundings(Protocol):
    """What a socket needs of the process that it is in."""

    @property
    def hub(self) -> Hub:
        """Its channels."""
        ...

    @property
    def gate(self) -> Gate:
        """Who may what."""
        ...

    @property
    def max_channels(self) -> int:
        """Of one socket."""
        ...

    @property
    def close_seconds(self) -> float:
        """How long a peer may take to hear that it is over."""
        ...

    def ask_again(self, socket: "Socket", channel: str) -> None:
        """Rights have changed; the gate is asked in the background."""
        ...

    def closed_as(self, code: CloseCode) -> None:
        """To be counted."""
        ...


class Socket:
    """A subscriber with a bounded queue, which a task of its own sends while there is something to send.

    Another task reads all the time, so that the end of a peer is noticed whatever is being done for it: what is sent
    to a peer that has gone would otherwise pile up in the server.

    Subclasses say what comes in (:meth:`opened`, :meth:`received`) and how events look (:meth:`deliver` and
    :meth:`show_presence`). ``label`` is what others know the socket by, if anything.
    """

    kind: ClassVar[SocketKind] = "socket"
    ping_text: ClassVar[str | None] = encode_frame(ServerPing())
    """What is sent as a sign of life; None for none."""
    answers_pings: ClassVar[bool] = True
    """Whether silence means that the peer is gone."""

    def __init__(self, principal: Principal, label: str | None = None) -> None:
        self.id: UUID = new_id()
        self.principal = principal
        self.label = label
        self.channels: set[str] = set()
        self.close_code: CloseCode | None = None
        self.close_reason = ""
        self.heard_at = time.monotonic()
        self.pinged_at = 0.0
        self.next_ping = 0.0
        self.unanswered = 0
        self.is_gone = False
        self._outgoing = Outgoing(self._start_writing, self._too_slow)
        self._surroundings: Surroundings | None = None
        self._transport: Transport | None = None
        self._writer: asyncio.Task[None] | None = None
        self._scope: asyncio.Timeout | None = None

    @property
    def user_id(self) -> UUID:
        """Whose it is."""
        return self.principal.user_id

    @property
    def surroundings(self) -> Surroundings:
        """Where it runs."""
        if self._surroundings is None:
            raise RuntimeError("the socket is not running")
        return self._surroundings

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Ends the socket. What was not sent is forgotten; the first call counts. The reason has at most 120 bytes."""
        if self.close_code is not None:
            return
        self.close_code, self.close_reason = code, reason[:120]
        if self._surroundings is not None:
            self._surroundings.closed_as(code)
        self._outgoing.clear()
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())

    def put(self, text: str) -> None:
        """Queues a message for the peer; nothing after the end."""
        if self.close_code is None and not self.is_gone:
            self._outgoing.put(text)

    async def prepared(self) -> None:
        """Called once, before anything is read."""

    async def opened(self) -> None:
        """Called once, before the first :meth:`received`."""

    def heard(self) -> bool:
        """Something came. False closes the socket: it came too fast."""
        return True

    async def received(self, message: str | bytes) -> None:
        """The next of what came; the one after it has to wait until this returns."""

    # What the hub calls

    def deliver(self, delivery: Delivery) -> None:
        """Queues the event's frame."""
        self.put(delivery.frame)

    def show_presence(self, frame: Presence, text: str) -> None:
        """Queues the frame."""
        self.put(text)

    async def has_room(self) -> None:
        """Waits for a peer that is slow, but not for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_ROOM_SECONDS):
                await self._outgoing.room()
            return
        self._too_slow()

    def access_changed(self, channel: str) -> None:
        """Lets the gate be asked."""
        self.surroundings.ask_again(self, channel)

    def ended(self, channel: str, reason: str) -> None:
        """Tells the peer."""
        self.channels.discard(channel)
        self.put(encode_frame(Unsubscribed(channel=channel, reason=reason)))

    # Running

    async def run(self, transport: Transport, surroundings: Surroundings) -> None:
        """To its end: until the peer goes, or somebody closes it."""
        self._transport, self._surroundings = transport, surroundings
        if self.close_code is not None:
            surroundings.closed_as(self.close_code)
        try:
            async with asyncio.timeout(None) as self._scope:
                if self.close_code is None:
                    await self._converse(transport, surroundings)
        except TimeoutError:
            if self.close_code is None:
                raise
        except Exception:
            log.exception("realtime.socket_failed", socket_id=str(self.id))
            self.close(CloseCode.INTERNAL_ERROR)
        finally:
            self._scope = None
            self._leave(surroundings.hub)
            self._outgoing.clear()
            await self._stop_writing()
            if not self.is_gone:
                await self._say_goodbye(transport, surroundings.close_seconds)

    async def _converse(self, transport: Transport, surroundings: Surroundings) -> None:
        """Until the peer has gone, and all that it said before was heard."""
        await self.prepared()
        incoming = Incoming()
        reader = asyncio.create_task(self._read(transport, surroundings, incoming))
        try:
            await self.opened()
            while self.close_code is None and (message := await incoming.next()) is not None:
                await self.received(message)
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self, transport: Transport, surroundings: Surroundings, incoming: Incoming) -> None:
        try:
            while (message := await transport.receive()) is not None:
                self.heard_at = time.monotonic()
                if not self.heard() or not incoming.put(message):
                    self.close(CloseCode.TOO_FAST, "too fast")
                    return
            self.is_gone = True
            self._outgoing.clear()
            self._leave(surroundings.hub)
        except Exception:
            log.exception("realtime.socket_failed", socket_id=str(self.id))
            self.close(CloseCode.INTERNAL_ERROR)
        finally:
            incoming.end()

    def _leave(self, hub: Hub) -> None:
        for channel in tuple(self.channels):
            hub.detach(self, channel)
        self.channels.clear()

    def _too_slow(self) -> None:
        self.close(CloseCode.TOO_SLOW, "too slow")

    def _start_writing(self) -> None:
        if self._writer is None and self._transport is not None:
            self._writer = asyncio.create_task(self._write(self._transport))

    async def _write(self, transport: Transport) -> None:
        try:
            while (text := self._outgoing.first()) is not None:
                await transport.send(text)
                if self.close_code is not None or self._scope is None:
                    return  # it is over, and the queue is empty
                self._outgoing.sent()
        except Exception as exc:
            # The peer went while we were writing; whoever reads hears of it, too, but perhaps much later.
            log.debug("realtime.send_failed", error=type(exc).__name__, exc_info=exc)
            self.close(CloseCode.GONE, "gone")
        finally:
            self._writer = None

    async def _stop_writing(self) -> None:
        """What is being sent is sent, if the peer reads: granian cannot close a socket whose ``send`` was cancelled.

        The queue is empty by now, so nothing comes after that.
        """
        if (writer := self._writer) is not None:
            await asyncio.wait({writer}, timeout=_LAST_SEND_SECONDS)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _say_goodbye(self, transport: Transport, seconds: float) -> None:
        """A peer that does not read may not even hear this; then the connection is dropped."""
        with suppress(TimeoutError, OSError, RuntimeError):
            async with asyncio.timeout(seconds):
                await transport.close(self.close_code or CloseCode.RESTARTING, self.close_reason)

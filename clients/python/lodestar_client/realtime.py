"""Realtime over one WebSocket: many channels, in order, nothing lost and nothing doubled while connections come and go.

One module that can be copied; needs ``httpx``, ``websockets`` (16 or newer) and Python 3.11. README.md shows its use.
"""

import asyncio
import json
import logging
import random
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import urlencode
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

__all__ = [
    "Event",
    "Happening",
    "Lost",
    "Member",
    "Presence",
    "Realtime",
    "RealtimeError",
    "Recovered",
    "Subscription",
]

log = logging.getLogger("lodestar_client")

MAX_FRAME_BYTES = 65_536
MAX_ANSWER_BYTES = 4 * 1024 * 1024
OPEN_WITHIN = 10.0
SILENCE = 60.0
"""The server pings every 25 s; after this long without a message it is gone."""
PACE, BURST, UNANSWERED = 15.0, 8.0, 8
"""Frames a second, at once, and without an answer. The server takes 20 a second and at once: what is held up on its way
comes at once, together with answers to pings, and the next ones need room as well."""
MAX_ID = 2**53 - 1
CHANNEL = re.compile(r"[a-z]{1,32}(?::[A-Za-z0-9_.-]{1,64})?")
EVENT = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
KEY = re.compile(r"[!-~]{1,64}")
EVENT_HEAD = re.compile(r'\{"type":"event","channel":"([^"\\]+)","id":(\d{1,16}),')
"""How the server begins an event, to know which one it is that cannot be read."""
FIRST_WAIT, LONGEST_WAIT, AFTER_RESTART = 0.5, 30.0, 2.0
SLOW_DOWN_STEPS = 3
UNREAD = 1_000
"""Events that wait for the reader of a channel. Those beyond are fetched from the server later."""

ABNORMAL, RESTARTING = 1006, 1012
BAD_FRAME, UNAUTHENTICATED, FORBIDDEN, TOO_SLOW, TOO_LARGE, TOO_FAST = 4400, 4401, 4403, 4408, 4413, 4429

Credentials: TypeAlias = Callable[[bool], Awaitable[str]]
"""Called with whether a new one is wanted, because the last one was refused. Raise a ``RealtimeError`` to stop; after
any other exception it is called again later."""


class RealtimeError(Exception):
    """What was refused. ``code`` is the server's (``forbidden``, ``closed``, ...), or one of this client's:
    ``disconnected``, ``too_large``, ``bad_frame``, ``unauthenticated``, ``ended``.
    """

    def __init__(self, code: str, detail: str = "", *, retryable: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(detail or code)
        self.code = code
        self.retryable = retryable
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Member:
    """A user who is present. All but the id may be unknown."""

    id: str
    username: str | None
    name: str | None
    avatar_url: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """Every event comes once, in the order of the ids, which are contiguous in a channel."""

    channel: str
    id: int
    event: str
    data: Any
    sent_at: str
    sender_id: str | None


@dataclass(frozen=True, slots=True)
class Presence:
    """Who came, who went, and who is there now."""

    channel: str
    members: tuple[Member, ...]
    join: tuple[Member, ...]
    leave: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Recovered:
    """After a gap; the events that were missed follow."""

    channel: str
    missed: int


@dataclass(frozen=True, slots=True)
class Lost:
    """Too much was missed, or it is unknown how much: load it by REST. Events continue after ``last_id``."""

    channel: str
    missed: int | None
    last_id: int


Happening: TypeAlias = Event | Presence | Recovered | Lost


class _Channel:
    """What this end knows of a channel."""

    def __init__(self, name: str, since: int | None) -> None:
        self.name = name
        self.last_id = since
        self.members: dict[str, Member] = {}
        self.is_live = self.was_live = self.is_behind = self.has_ended = False
        self.error: RealtimeError | None = None
        self.ref: str | None = None
        self.line: deque[Happening] = deque()
        self.something = asyncio.Event()
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def subscribed(self, frame: dict[str, Any]) -> None:
        """The server has agreed, for the first time or again."""
        last_id, missed, resumed = int(frame["last_id"]), frame["missed"], self.last_id is not None
        self.is_live = True
        if not resumed or not frame["recovered"]:
            self.last_id = last_id
        self._replace_members(frame["presence"])
        if resumed and not frame["recovered"]:
            self._put(Lost(self.name, missed, last_id))
        elif resumed and (self.was_live or missed):
            self._put(Recovered(self.name, int(missed)))
        self.was_live = True
        if not self.ready.done():
            self.ready.set_result(None)

    def take_event(self, frame: dict[str, Any]) -> bool:
        """Puts an event in line. False when one before it is missing."""
        position = self.last_id or 0
        if frame["id"] <= position or not self._has_room():
            return True
        if frame["id"] > position + 1:
            return False
        self.last_id = int(frame["id"])
        self._put(Event(self.name, self.last_id, frame["event"], frame["data"], frame["sent_at"], frame["sender_id"]))
        return True

    def skip(self, id_: int) -> None:
        """An event that cannot be read is not asked for again: it would be the same."""
        if self.is_live and id_ == (self.last_id or 0) + 1:
            self.last_id = id_

    def take_presence(self, frame: dict[str, Any]) -> None:
        """Members came or went."""
        if not self._has_room():
            return
        join, leave = _members(frame["join"]), _members(frame["leave"])
        self.members.update({each.id: each for each in join})
        for each in leave:
            self.members.pop(each.id, None)
        self._put(Presence(self.name, tuple(self.members.values()), join, leave))

    def end(self, error: RealtimeError | None) -> None:
        """Nothing more comes."""
        self.has_ended, self.error, self.is_live, self.is_behind = True, error, False, False
        if not self.ready.done():
            self.ready.set_exception(error or RealtimeError("ended"))
            self.ready.exception()  # raised to those who wait, if any
        self.something.set()

    def _has_room(self) -> bool:
        """Without it, nothing is taken until everything is read; then the server is asked for what has been missed."""
        if len(self.line) >= UNREAD:
            self.is_live, self.is_behind = False, True
        return self.is_live

    def _put(self, happening: Happening) -> None:
        self.line.append(happening)
        self.something.set()

    def _replace_members(self, listed: list[dict[str, Any]] | None) -> None:
        before, self.members = self.members, {each.id: each for each in _members(listed or [])}
        join = tuple(each for each in self.members.values() if each.id not in before)
        leave = tuple(each for each in before.values() if each.id not in self.members)
        if join or leave:
            self._put(Presence(self.name, tuple(self.members.values()), join, leave))


class Subscription:
    """One channel: iterate over it for what happens there. The iteration ends when it is unsubscribed.

    It raises ``RealtimeError`` when the server has ended it. A slow reader delays no one: what does not
    fit is fetched from the server's history afterwards.
    """

    def __init__(
        self, channel: _Channel, leave: Callable[[_Channel], None], catch_up: Callable[[_Channel], None]
    ) -> None:
        self._channel, self._leave, self._catch_up = channel, leave, catch_up

    @property
    def channel(self) -> str:
        """Its name."""
        return self._channel.name

    @property
    def last_id(self) -> int | None:
        """Of the last event that was put in line; give the id of an event to ``since`` to go on after it."""
        return self._channel.last_id

    @property
    def members(self) -> tuple[Member, ...]:
        """Who is present, as far as is known."""
        return tuple(self._channel.members.values())

    @property
    def is_live(self) -> bool:
        """Whether the server sends its events at the moment."""
        return self._channel.is_live

    async def unsubscribe(self) -> None:
        """Ends the iteration."""
        self._leave(self._channel)

    async def __aiter__(self) -> AsyncIterator[Happening]:
        channel = self._channel
        while True:
            while channel.line:
                yield channel.line.popleft()
            if channel.is_behind:
                channel.is_behind = False
                self._catch_up(channel)
            if channel.has_ended:
                if channel.error is not None:
                    raise channel.error
                return
            channel.something.clear()
            await channel.something.wait()


@dataclass(eq=False, slots=True)
class _Publish:
    text: str
    done: asyncio.Future[int]


@dataclass(eq=False, slots=True)
class _Outgoing:
    text: str
    ref: str
    publish: _Publish | None = None


@dataclass(slots=True)
class _End:
    code: int = ABNORMAL
    reason: str = ""
    useful: bool = False
    retry_after: float = 0.0


@dataclass(eq=False, slots=True)
class _Pacing:
    tokens: float = BURST
    at: float = 0.0
    more: asyncio.Event = field(default_factory=asyncio.Event)


class Realtime:
    """A connection that heals itself; an asynchronous context manager.

    ``get_token`` gives an access token, for which this asks the server for a ticket; or ``get_ticket`` gives a ticket
    itself. ``http`` is the client to ask with, where a certain one must be used; it is not closed.
    """

    def __init__(
        self,
        base_url: str,
        *,
        get_token: Credentials | None = None,
        get_ticket: Credentials | None = None,
        http: httpx.AsyncClient | None = None,
        silence: float = SILENCE,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._get_token, self._get_ticket = get_token, self._ticket_source(get_token, get_ticket)
        self._http, self._owns_http = http or httpx.AsyncClient(timeout=OPEN_WITHIN), http is None
        self._silence = silence
        self._channels: dict[str, _Channel] = {}
        self._publishes: dict[str, _Publish] = {}
        self._requests: dict[str, _Channel | asyncio.Future[dict[str, Any]]] = {}
        self._outgoing: deque[_Outgoing] = deque()
        self._unanswered: dict[str, _Outgoing] = {}
        self._one_by_one = False
        """Whether one of the frames cannot be read by the server, and has to be found."""
        self._pacing = _Pacing()
        self._connection: ClientConnection | None = None
        self._last_ref = 0
        self._failures = self._refused_in_a_row = 0
        self._renew = False
        self._failed: RealtimeError | None = None
        self._running: asyncio.Task[None] | None = None
        self._soon: set[asyncio.TimerHandle] = set()
        self.connections = 0
        """How many times it has connected."""

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open at the moment."""
        return self._connection is not None

    async def close(self) -> None:
        """Ends everything: iterations end, and what was not acknowledged is refused."""
        self._stop(RealtimeError("ended", "the client was closed"))
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
        if self._owns_http:
            await self._http.aclose()

    async def subscribe(self, channel: str, *, since: int | None = None) -> Subscription:
        """Returns when the server has agreed. Raises ``RealtimeError`` when it refuses."""
        self._refuse_when_stopped()
        _check_channel(channel)
        if since is not None and (type(since) is not int or not 0 <= since <= MAX_ID):
            raise RealtimeError("bad_frame", "since has to be the id of an event")
        if channel in self._channels:
            raise RealtimeError("ended", f"{channel} is subscribed to already")
        known = self._channels[channel] = _Channel(channel, since)
        if self.is_connected:
            self._ask(known)
        try:
            await asyncio.shield(known.ready)
        except asyncio.CancelledError:
            self._unsubscribe(known)
            raise
        return Subscription(known, leave=self._unsubscribe, catch_up=self._ask_again)

    async def publish(self, channel: str, data: Any, *, event: str = "message", key: str | None = None) -> int:
        """Publishes once, however often the connection breaks until then; the id of the event.

        To keep an order among several publishes, wait for one before the next. ``key`` is what makes
        it this message and no other. Raises ``RealtimeError`` when the server refuses.
        """
        self._refuse_when_stopped()
        _check_channel(channel)
        if not EVENT.fullmatch(event) or not (key is None or KEY.fullmatch(key)):
            raise RealtimeError("bad_frame", "this is no name of an event, or no key")
        ref = self._new_ref()
        frame = {
            "type": "publish",
            "channel": channel,
            "event": event,
            "data": data,
            "key": key or uuid4().hex,
            "ref": ref,
        }
        text = _encode(frame)
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise RealtimeError("invalid_data", "text has to be Unicode, without halves of surrogates") from None
        if size > MAX_FRAME_BYTES:
            raise RealtimeError("too_large", f"a frame has at most {MAX_FRAME_BYTES} bytes")
        publish = _Publish(text, asyncio.get_running_loop().create_future())
        self._publishes[ref] = publish
        if self.is_connected:
            self._send(text, ref, publish)
        try:
            return await publish.done
        finally:
            self._publishes.pop(ref, None)

    async def ping(self) -> float:
        """Seconds there and back. Raises ``RealtimeError`` when the connection breaks or is not open."""
        clock = asyncio.get_running_loop().time
        begin = clock()
        await self._request({"type": "ping"})
        return clock() - begin

    async def refresh(self) -> str | None:
        """Shows the server a new access token on the open connection; until when it is good for it."""
        if self._get_token is None:
            raise TypeError("refresh needs get_token")
        answer = await self._request({"type": "refresh", "token": await self._get_token(True)})
        expires_at: str | None = answer["expires_at"]
        return expires_at

    # The connection.

    async def _run(self) -> None:
        while self._failed is None:
            end = await self._attempt()
            self._forget_connection(end)
            wait = self._wait_after(end)
            if self._failed is None:
                log.info("disconnected (%s %s); connecting again in %.1f s", end.code, end.reason, wait)
                await asyncio.sleep(wait)

    async def _attempt(self) -> _End:
        """Connects once, and returns how it ended."""
        end = _End()
        try:
            address = await self._address()
            async with connect(
                address, open_timeout=OPEN_WITHIN, close_timeout=1, ping_interval=None, max_size=MAX_ANSWER_BYTES
            ) as connection:
                await self._live_on(connection, end)
        except RealtimeError as error:
            if not error.retryable:
                self._stop(error)
            end.reason, end.retry_after = str(error), error.retry_after
        except ConnectionClosed as closed:
            if closed.rcvd is not None:
                end.code, end.reason = closed.rcvd.code, closed.rcvd.reason
        except InvalidStatus as refused:
            end.reason = str(refused)
            end.retry_after = float(refused.response.headers.get("Retry-After", 0))
        except (OSError, TimeoutError, InvalidHandshake, httpx.TransportError) as error:
            end.reason = end.reason or repr(error)
        except Exception as error:
            log.warning("cannot connect", exc_info=error)  # the source of credentials has failed; it is asked again
            end.reason = repr(error)
        return end

    async def _live_on(self, connection: ClientConnection, end: _End) -> None:
        self._connection = connection
        self.connections += 1
        self._pacing = _Pacing(at=asyncio.get_running_loop().time())
        pump = asyncio.create_task(self._pump(connection))
        try:
            for channel in self._channels.values():
                self._ask(channel)
            for ref, publish in self._publishes.items():
                self._send(publish.text, ref, publish)
            while True:
                async with asyncio.timeout(self._silence):
                    text = await connection.recv()
                end.useful |= await self._read(connection, text)
        except TimeoutError:
            end.reason = "silence"
            raise
        finally:
            self._connection = None
            pump.cancel()

    async def _address(self) -> str:
        ticket = await self._get_ticket(self._renew)
        base = self.base_url.replace("http", "ws", 1)
        return f"{base}/api/v1/realtime?{urlencode({'ticket': ticket})}"

    def _ticket_source(self, get_token: Credentials | None, get_ticket: Credentials | None) -> Credentials:
        if get_ticket is not None and get_token is None:
            return get_ticket
        if get_token is None or get_ticket is not None:
            raise TypeError("give either get_token or get_ticket")

        async def fetch(renew: bool) -> str:
            return await self._fetch_ticket(get_token, renew=renew)

        return fetch

    async def _fetch_ticket(self, get_token: Credentials, *, renew: bool) -> str:
        token = await get_token(renew)
        url = f"{self.base_url}/api/v1/realtime/tickets"
        response = await self._http.post(url, headers={"Authorization": f"Bearer {token}"})
        if response.is_success:
            return str(response.json()["ticket"])
        if response.status_code == HTTPStatus.UNAUTHORIZED and not renew:
            return await self._fetch_ticket(get_token, renew=True)
        raise _refusal(response)

    def _forget_connection(self, end: _End) -> None:
        self._outgoing.clear()
        unanswered = list(self._unanswered.items())
        self._unanswered.clear()
        for timer in self._soon:
            timer.cancel()
        self._soon.clear()
        for request in self._requests.values():
            if isinstance(request, asyncio.Future) and not request.done():
                request.set_exception(RealtimeError("disconnected"))
        self._requests.clear()
        for channel in self._channels.values():
            channel.is_live = False
        if end.code in {BAD_FRAME, TOO_LARGE}:
            self._give_up(unanswered, end)

    def _give_up(self, unanswered: list[tuple[str, _Outgoing]], end: _End) -> None:
        """One of them was what the server could not read; sent again, it would end the next connection as well.

        When they are several, they are sent one by one the next time.
        """
        self._one_by_one = len(unanswered) > 1
        if len(unanswered) != 1:
            return
        (ref, frame), error = unanswered[0], RealtimeError("bad_frame", end.reason or f"closed with {end.code}")
        if frame.publish is not None:
            if not frame.publish.done.done():
                frame.publish.done.set_exception(error)
            self._publishes.pop(ref, None)
        for channel in [each for each in self._channels.values() if each.ref == ref]:
            self._forget(channel, error)

    def _wait_after(self, end: _End) -> float:
        """How long to wait before the next attempt, in seconds."""
        pushed_back = end.code in {TOO_SLOW, TOO_FAST}
        if end.useful and not pushed_back:
            self._failures = 0
        self._refused_in_a_row = self._refused_in_a_row + 1 if end.code == UNAUTHENTICATED else 0
        self._renew = self._refused_in_a_row > 0
        if self._refused_in_a_row > 1 and not end.useful:
            self._stop(RealtimeError("unauthenticated", end.reason or "sign in again"))
        if end.code == FORBIDDEN:
            self._stop(RealtimeError("forbidden", end.reason or "this origin may not connect"))
        if end.code == RESTARTING:
            return random.uniform(0, AFTER_RESTART)  # noqa: S311 - no secret
        if pushed_back:
            self._failures = max(self._failures, SLOW_DOWN_STEPS)
        window = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(self._failures, 10))
        self._failures += 1
        least = max(end.retry_after, window / 2 if pushed_back else 0.0)
        return least + random.uniform(0, window / 2 if pushed_back else window)  # noqa: S311 - no secret

    def _stop(self, error: RealtimeError) -> None:
        if self._failed is not None:
            return
        self._failed = error
        for publish in self._publishes.values():
            if not publish.done.done():
                publish.done.set_exception(error)
        for channel in list(self._channels.values()):
            self._forget(channel, None if error.code == "ended" else error)

    def _refuse_when_stopped(self) -> None:
        if self._failed is not None:
            raise self._failed
        if self._running is None:
            raise RuntimeError("use it as a context manager: async with Realtime(...) as realtime")

    # What goes out.

    def _new_ref(self) -> str:
        self._last_ref += 1
        return str(self._last_ref)

    def _send(self, text: str, ref: str, publish: _Publish | None = None) -> None:
        self._outgoing.append(_Outgoing(text, ref, publish))
        self._pacing.more.set()

    async def _pump(self, connection: ClientConnection) -> None:
        """Sends as fast as the pace allows, in order, until the connection ends."""
        pacing, clock = self._pacing, asyncio.get_running_loop().time
        with suppress(ConnectionClosed):
            while True:
                await pacing.more.wait()
                while self._outgoing and len(self._unanswered) < (1 if self._one_by_one else UNANSWERED):
                    now = clock()
                    pacing.tokens, pacing.at = min(BURST, pacing.tokens + (now - pacing.at) * PACE), now
                    if pacing.tokens < 1:
                        await asyncio.sleep((1 - pacing.tokens) / PACE)
                        continue
                    pacing.tokens -= 1
                    outgoing = self._outgoing.popleft()
                    self._unanswered[outgoing.ref] = outgoing
                    await connection.send(outgoing.text)
                pacing.more.clear()

    async def _request(self, frame: dict[str, Any]) -> dict[str, Any]:
        if not self.is_connected:
            raise RealtimeError("disconnected", "the connection is not open")
        ref = self._new_ref()
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._requests[ref] = answer
        self._send(_encode({**frame, "ref": ref}), ref)
        try:
            return await answer
        finally:
            self._requests.pop(ref, None)

    # Channels.

    def _ask(self, channel: _Channel) -> None:
        ref = channel.ref = self._new_ref()
        channel.is_live = False
        self._requests[ref] = channel
        frame: dict[str, Any] = {"type": "subscribe", "channel": channel.name, "ref": ref}
        if channel.last_id is not None:
            frame["since"] = channel.last_id
        self._send(_encode(frame), ref)

    def _ask_again(self, channel: _Channel) -> None:
        """Otherwise it is asked for when the connection is there again."""
        if self.is_connected:
            self._leave(channel)
            self._ask(channel)

    def _leave(self, channel: _Channel) -> None:
        ref = self._new_ref()
        self._send(_encode({"type": "unsubscribe", "channel": channel.name, "ref": ref}), ref)

    def _unsubscribe(self, channel: _Channel) -> None:
        if self._channels.get(channel.name) is not channel:
            return
        self._forget(channel, None)
        if self.is_connected:
            self._leave(channel)

    def _forget(self, channel: _Channel, error: RealtimeError | None) -> None:
        del self._channels[channel.name]
        channel.end(error)

    # What comes in.

    async def _read(self, connection: ClientConnection, text: str | bytes) -> bool:
        """What cannot be read is skipped: after a reconnect it would only come again."""
        try:
            frame = json.loads(text)
            self._answered(frame.get("ref"))
            return await self._heard(connection, frame)
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
            head = EVENT_HEAD.match(text) if isinstance(text, str) else None
            log.warning("skipping a frame that cannot be read: %s", head[0] if head else "", exc_info=error)
            if head is not None and (channel := self._channels.get(head[1])) is not None:
                channel.skip(int(head[2]))
            return False

    def _answered(self, ref: str | None) -> None:
        """There is room for the next one."""
        if ref is not None and self._unanswered.pop(ref, None) is not None:
            self._one_by_one = self._one_by_one and bool(self._outgoing)
            self._pacing.more.set()

    async def _heard(self, connection: ClientConnection, frame: dict[str, Any]) -> bool:
        """Handles a frame; returns whether it shows that the connection is good for something."""
        match frame["type"]:
            case "ping":
                await connection.send('{"type":"pong"}')
                return False
            case "event" | "presence":
                self._on_channel(frame)
            case "subscribed":
                self._on_subscribed(frame)
            case "unsubscribed":
                self._on_unsubscribed(frame)
            case "ack":
                publish = self._publishes.get(frame["ref"])
                if publish is not None and not publish.done.done():
                    publish.done.set_result(int(frame["id"]))
            case "pong" | "refreshed":
                request = self._requests.get(frame["ref"])
                if isinstance(request, asyncio.Future) and not request.done():
                    request.set_result(frame)
            case "error":
                self._on_error(frame)
            case _:
                return False  # of a newer server
        return True

    def _on_channel(self, frame: dict[str, Any]) -> None:
        channel = self._channels.get(frame["channel"])
        if channel is None or not channel.is_live:
            return
        if frame["type"] == "event":
            if not channel.take_event(frame):
                self._ask_again(channel)
        else:
            channel.take_presence(frame)

    def _on_subscribed(self, frame: dict[str, Any]) -> None:
        self._requests.pop(frame["ref"], None)
        channel = self._channels.get(frame["channel"])
        if channel is not None and channel.ref == frame["ref"]:
            channel.subscribed(frame)

    def _on_unsubscribed(self, frame: dict[str, Any]) -> None:
        """Without a reference it is the server's own doing: rights have changed, or it wants to be asked again."""
        channel = self._channels.get(frame["channel"])
        if frame["ref"] or channel is None or not channel.is_live:
            return
        if frame["reason"] == "reset":
            self._ask(channel)
        else:
            self._forget(channel, RealtimeError(frame["reason"] or "ended"))

    def _on_error(self, frame: dict[str, Any]) -> None:
        error = RealtimeError(frame["code"], frame["detail"], retryable=frame["retryable"])
        ref = frame["ref"]
        request, publish = self._requests.pop(ref, None), self._publishes.get(ref)
        if isinstance(request, _Channel):
            self._refused(request, ref, error)
        elif request is not None:
            if not request.done():
                request.set_exception(error)
        elif publish is None:
            log.warning("the server says %s: %s", error.code, error)
        elif error.retryable:
            self._later(lambda: None if publish.done.done() else self._send(publish.text, ref, publish))
        elif not publish.done.done():
            publish.done.set_exception(error)

    def _refused(self, channel: _Channel, ref: str, error: RealtimeError) -> None:
        def is_awaited() -> bool:
            known = self._channels.get(channel.name) is channel
            return known and channel.ref == ref and not channel.is_live

        if is_awaited() and not error.retryable:
            self._forget(channel, error)
        elif is_awaited():
            self._later(lambda: self._ask(channel) if is_awaited() else None)

    def _later(self, action: Callable[[], None]) -> None:
        """Once more in a moment, if it is still this connection."""

        def act() -> None:
            self._soon.discard(timer)
            action()

        wait = FIRST_WAIT * random.uniform(1, 2)  # noqa: S311 - no secret
        timer = asyncio.get_running_loop().call_later(wait, act)
        self._soon.add(timer)


def _members(listed: list[dict[str, Any]]) -> tuple[Member, ...]:
    return tuple(Member(each["id"], each["username"], each["name"], each["avatar_url"]) for each in listed)


def _check_channel(name: str) -> None:
    if not CHANNEL.fullmatch(name):
        raise RealtimeError("invalid_channel", "this is no name of a channel")


def _encode(frame: dict[str, Any]) -> str:
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _refusal(response: httpx.Response) -> RealtimeError:
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    status = response.status_code
    return RealtimeError(
        problem.get("code", "unavailable"),
        problem.get("detail", f"status {status}"),
        retryable=status in {408, 425, 429} or status >= HTTPStatus.INTERNAL_SERVER_ERROR,
        retry_after=float(response.headers.get("Retry-After", "0") or 0),
    )

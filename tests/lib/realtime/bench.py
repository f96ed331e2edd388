"""Workers without a server: each a realtime service with an engine of its own, on one database and one fan-out."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec

from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from app.lib.events import Events
from app.lib.events.fanout import Fanout
from app.lib.realtime.channels import ChannelAccess, ChannelKind, Member, NewEvent
from app.lib.realtime.errors import ChannelClosed, ChannelForbidden, TokenRefused
from app.lib.realtime.options import RealtimeOptions
from app.lib.realtime.protocols import Connection
from app.lib.realtime.service import Realtime, channel_listeners
from app.lib.realtime.sockets import Socket
from app.lib.security.principal import Principal
from app.lib.services import Services
from tests.support.waiting import PATIENCE, until

QUICK = RealtimeOptions(
    sweep_seconds=0.3,
    renew_seconds=0.2,
    alive_seconds=5.0,
    expire_seconds=8.0,
    presence_seconds=0.2,
    rights_seconds=0.1,
    presence_pause=0.02,
    close_seconds=1.0,
)
LEFT = "left"
"""The event in a room after which the user whose id is its data may not listen any more."""


def a_user(name: str = "a user", user_id: UUID | None = None) -> Principal:
    return Principal(
        user_id=user_id or uuid4(),
        session_id=uuid4(),
        authenticated_at=datetime.now(UTC),
        is_superuser=False,
        permissions=frozenset({name}),
    )


class Doorkeeper:
    """People and channels, and who is refused where."""

    def __init__(self) -> None:
        self.sessions: dict[UUID, Principal] = {}
        self.refused: set[tuple[UUID, str]] = set()
        self.closed: set[str] = set()
        self.kinds = [
            self._kind("posts", is_named=False),
            self._kind("news", is_named=False),
            self._kind("load"),
            self._kind("kept", is_kept=True),
            self._kind("room", has_presence=True, revoked_user=_user_who_left),
        ]

    def access(self) -> ChannelAccess:
        return ChannelAccess(self.kinds, self, lambda kind: kind)

    def admit(self, principal: Principal) -> Principal:
        self.sessions[principal.session_id] = principal
        return principal

    async def refresh(self, principal: Principal, token: str) -> tuple[Principal, datetime | None]:
        for each in self.sessions.values():
            if token == str(each.session_id) and each.user_id == principal.user_id:
                return each, None
        raise TokenRefused

    async def principals(self, session_ids: Collection[UUID]) -> Mapping[UUID, Principal]:
        return {each: self.sessions[each] for each in session_ids if each in self.sessions}

    async def member(self, principal: Principal) -> Member:
        (name,) = principal.permissions
        return Member(principal.user_id, None, name, None)

    def _kind(self, kind: str, *, is_named: bool = True, **more: Any) -> ChannelKind:
        async def may_subscribe(principal: Principal, name: str) -> None:
            if (principal.user_id, f"{kind}:{name}" if name else kind) in self.refused:
                raise ChannelForbidden

        async def may_publish(principal: Principal, name: str) -> None:
            if f"{kind}:{name}" in self.closed:
                raise ChannelClosed
            await may_subscribe(principal, name)

        return ChannelKind(name=kind, may_subscribe=may_subscribe, may_publish=may_publish, is_named=is_named, **more)


def _user_who_left(event: str, data: bytes) -> UUID | None:
    return msgspec.json.decode(data, type=UUID) if event == LEFT else None


class Wire:
    """Both ends of a socket: what the peer sends, and what it was sent."""

    def __init__(self) -> None:
        self._incoming: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self.accepted = False
        self.sent: list[str] = []
        self.closed: tuple[int, str] | None = None
        self.reads = asyncio.Event()
        self.reads.set()

    async def accept(self) -> None:
        self.accepted = True

    async def receive(self) -> str | bytes | None:
        return await self._incoming.get()

    async def send(self, text: str) -> None:
        await self.reads.wait()
        self.sent.append(text)

    async def close(self, code: int, reason: str) -> None:
        await self.reads.wait()
        self.closed = (code, reason)

    def say(self, message: object) -> None:
        """A frame, or a text or bytes as they are."""
        raw = message if isinstance(message, str | bytes) else msgspec.json.encode(message).decode()
        self._incoming.put_nowait(raw)

    def go(self) -> None:
        """The peer hangs up."""
        self._incoming.put_nowait(None)

    @property
    def frames(self) -> list[Any]:
        return [msgspec.json.decode(each) for each in self.sent]

    def of_type(self, kind: str, **where: object) -> list[Any]:
        """The frames of a type so far."""
        found = (each for each in self.frames if each["type"] == kind)
        return [each for each in found if all(each.get(name) == value for name, value in where.items())]

    def ids(self, channel: str) -> list[int]:
        """Of the events that have come."""
        return [each["id"] for each in self.of_type("event", channel=channel)]

    async def until(self, kind: str, count: int = 1, seconds: float = PATIENCE, **where: object) -> list[Any]:
        """The frames of a type, as soon as there are that many."""
        await until(lambda: len(self.of_type(kind, **where)) >= count, seconds)
        return self.of_type(kind, **where)


class Peer:
    """A client on a wire, which runs in a task."""

    def __init__(self, worker: "Worker", socket: Socket) -> None:
        self.socket = socket
        self.wire = Wire()
        self.task = asyncio.create_task(worker.realtime.serve(socket, self.wire))
        self._refs = itertools.count(1)

    async def ask(self, answer: str, **frame: object) -> Any:
        """Says a frame and returns what answers it."""
        ref = str(next(self._refs))
        self.wire.say({**frame, "ref": ref})
        return (await self.wire.until(answer, ref=ref))[0]

    async def subscribe(self, channel: str, **more: object) -> Any:
        return await self.ask("subscribed", type="subscribe", channel=channel, **more)

    async def publish(self, channel: str, data: object = None, **more: object) -> Any:
        return await self.ask("ack", type="publish", channel=channel, data=data, **more)

    async def refusal(self, **frame: object) -> Any:
        """The code of the error that answers a frame."""
        return (await self.ask("error", **frame))["code"]

    async def is_accepted(self) -> bool:
        """Waits until that is known."""
        await until(lambda: self.task.done() or self.wire.accepted)
        return self.wire.accepted

    async def gone(self, seconds: float = PATIENCE) -> tuple[int, str] | None:
        """Waits until the socket has ended, and says how it was closed."""
        async with asyncio.timeout(seconds):
            await asyncio.wait({self.task})
        return self.wire.closed


class Worker:
    """One process."""

    def __init__(self, realtime: Realtime, database: Database, events: Events, gate: Doorkeeper) -> None:
        self.realtime = realtime
        self.database = database
        self.events = events
        self.gate = gate
        self.peers: list[Peer] = []

    @property
    def is_connected(self) -> bool:
        return self.realtime.fanout.is_connected

    def connect(self, principal: Principal | None = None, socket: Socket | None = None) -> Peer:
        """A peer, which is on its way."""
        principal = self.gate.admit(principal or a_user())
        peer = Peer(self, socket or Connection(principal, self.realtime))
        self.peers.append(peer)
        return peer

    async def publish(self, channel: str, data: object = None, event: str = "message", **more: Any) -> int:
        new = NewEvent(channel=channel, event=event, data=msgspec.json.encode(data), **more)
        return await self.realtime.publish(new)

    async def die(self) -> None:
        """As by kill -9: nothing is written any more, and no hint is sent."""
        registry: Any = self.realtime._registry
        registry.leave = _nothing
        await self.realtime._loops.close()
        registry.close = _nothing
        await self.events.close()
        await self.database.close()
        for peer in self.peers:
            peer.task.cancel()
        await asyncio.gather(*(peer.task for peer in self.peers), return_exceptions=True)


class Bench:
    """A database and a fan-out; makes workers that share them."""

    def __init__(self, url: DatabaseURL, make_fanout: Callable[[], Fanout], stack: AsyncExitStack) -> None:
        self.url = url
        self.gate = Doorkeeper()
        self._make_fanout = make_fanout
        self._stack = stack

    async def worker(self, options: RealtimeOptions = QUICK, **changes: Any) -> Worker:
        """A process that serves sockets; ``url``, ``fanout`` and the options may be others than usual."""
        worker = await self.unstarted(options, **changes)
        await worker.realtime.start()
        return worker

    async def unstarted(self, options: RealtimeOptions = QUICK, **changes: Any) -> Worker:
        """A process without sockets."""
        database = Database(DatabaseOptions(url=changes.pop("url", self.url), pool_size=2))
        await database.start()
        self._stack.push_async_callback(database.close)
        services = Services()
        fanout = changes.pop("fanout", None) or self._make_fanout()
        events = Events(channel_listeners(self.gate.kinds), services, fanout)
        realtime = Realtime(
            database,
            events,
            self.gate.access(),
            msgspec.structs.replace(options, **changes),
        )
        services.add(realtime.hub)
        await events.start()
        worker = Worker(realtime, database, events, self.gate)
        self._stack.push_async_callback(_stop, worker)
        return worker


def _nothing(*_arguments: object) -> Any:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


async def _stop(worker: Worker) -> None:
    await worker.realtime.close()
    await worker.events.close()
    for peer in worker.peers:
        peer.task.cancel()
    await asyncio.gather(*(peer.task for peer in worker.peers), return_exceptions=True)


@asynccontextmanager
async def bench_on(url: DatabaseURL, make_fanout: Callable[[], Fanout]) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        yield Bench(url, make_fanout, stack)

"""Our process among the others: its sockets and who is present by them, in the database.

What is to be there is kept in memory. So what could not be written is written later, and a node that was taken for
dead, and whose rows were therefore removed, puts them back.
"""

import asyncio
import os
import socket as host
import time
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

import msgspec
import structlog

from app.lib.db.base import new_id
from app.lib.db.engine import Database
from app.lib.db.retries import in_transaction
from app.lib.db.uow import UnitOfWork
from app.lib.heartbeats import Heartbeats
from app.lib.realtime.batches import GroupCommit, bug_in
from app.lib.realtime.errors import RealtimeUnavailable, TooManySockets
from app.lib.realtime.events import Farewell, LostSocket, NewEvent
from app.lib.realtime.frames import Member
from app.lib.realtime.log import Changes
from app.lib.realtime.news import Scribe
from app.lib.realtime.registry import NodeRegistry, NodeRow, SocketRow, all_nodes, present_elsewhere

log = structlog.stdlib.get_logger(__name__)

Place = tuple[UUID, str]
"""A socket and a channel in which its person is present."""


class _Open(msgspec.Struct, frozen=True):
    socket: SocketRow


class _Join(msgspec.Struct, frozen=True):
    place: Place
    member: Member


class _Look(msgspec.Struct, frozen=True):
    """Only a sign of life, and what is left to be written."""


_Operation = _Open | _Join | _Look


class Node:
    """One per process. ``on_evicted`` is told of a socket whose slot somebody else has taken meanwhile."""

    def __init__(
        self,
        database: Database,
        scribe: Scribe,
        farewell: Farewell,
        on_evicted: Callable[[UUID], None],
        *,
        max_sockets: int,
        beat_seconds: float,
        stale_seconds: float,
    ) -> None:
        self.id = new_id()
        self._database = database
        self._scribe = scribe
        self._farewell = farewell
        self._on_evicted = on_evicted
        self._max_sockets = max_sockets
        self._beat_seconds = beat_seconds
        self._heartbeats: Heartbeats[UUID] = Heartbeats(stale_seconds)
        self._name = f"{host.gethostname()[:80]}:{os.getpid()}"
        self._sockets: dict[UUID, SocketRow] = {}
        self._present: dict[Place, Member] = {}
        self._gone: set[UUID] = set()
        self._left: set[Place] = set()
        self._is_registered = self._is_closed = False
        self._commits: GroupCommit[_Operation, bool] = GroupCommit(self._commit)
        self._flushing: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to give signs of life, and to look for those of others."""
        self._task = asyncio.create_task(self._run(), name="realtime node")

    async def close(self, seconds: float) -> None:
        """Removes everything of this process from the database, unless that takes too long; others then do it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._flushing:  # a commit after the removal below would register this process again
            await asyncio.wait(self._flushing, timeout=seconds)
        await self._commits.drain(seconds)
        self._is_closed = True
        if self._is_registered:
            try:
                async with asyncio.timeout(seconds):
                    await self._remove(NodeRow(self.id, -1))
            except Exception as exc:  # noqa: BLE001 - whatever it is, the process ends
                log.warning("realtime.node_not_removed", error=type(exc).__name__)

    async def open(self, row: SocketRow) -> None:
        """Registers a socket. Raises ``TooManySockets`` or ``RealtimeUnavailable``."""
        if self._is_closed:
            raise RealtimeUnavailable
        opening = asyncio.ensure_future(self._commits.submit(_Open(row)))
        try:
            is_open = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(lambda done: self._undo(row.id, done))
            raise
        if not is_open:
            raise TooManySockets

    def _undo(self, socket_id: UUID, opened: "asyncio.Future[bool]") -> None:
        if not opened.cancelled() and opened.exception() is None:
            self.remove(socket_id)

    def remove(self, socket_id: UUID) -> None:
        """The socket is gone, and whoever was present by it. Does not wait; is written as soon as it can be."""
        self._sockets.pop(socket_id, None)
        for place in [each for each in self._present if each[0] == socket_id]:
            del self._present[place]
        self._gone.add(socket_id)
        self._flush()

    async def join(self, place: Place, member: Member) -> None:
        """Makes a person present. Raises ``RealtimeUnavailable``."""
        self._left.discard(place)
        await self._commits.submit(_Join(place, member))

    def leave(self, place: Place) -> None:
        """The other way round. Does not wait; is written as soon as it can be."""
        self._present.pop(place, None)
        if place[0] not in self._gone:
            self._left.add(place)
            self._flush()

    async def present_elsewhere(self, channel: str) -> dict[UUID, Member]:
        """Who is present by sockets of other processes."""
        rows = await self._database.reader.all(present_elsewhere, channel=channel, node_id=self.id)
        return {row.id: row for row in rows}

    def _flush(self) -> None:
        if not self._flushing and not self._is_closed:
            task = asyncio.create_task(self._write_rest())
            self._flushing.add(task)
            task.add_done_callback(self._flushing.discard)

    async def _write_rest(self) -> None:
        try:
            while self._gone or self._left:
                await self._commits.submit(_Look())
        except Exception as exc:  # noqa: BLE001 - the next sign of life tries again
            log.warning("realtime.flush_failed", error=type(exc).__name__)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._beat_seconds)
            try:
                await self._turn()
            except Exception as exc:
                log.warning("realtime.beat_failed", error=type(exc).__name__, exc_info=bug_in(exc))

    async def _turn(self) -> None:
        if self._sockets or self._gone or self._left:
            await self._commits.submit(_Look())
        elif self._is_registered:
            await self._retire()
        rows = await self._database.reader.all(all_nodes)
        others = {row.id: row.beats for row in rows if row.id != self.id}
        for node_id in self._heartbeats.stale(others, time.monotonic()):
            if await self._remove(NodeRow(node_id, others[node_id])):
                log.warning("realtime.node_lost", node_id=str(node_id))

    async def _retire(self) -> None:
        """Without sockets nothing is written, so that a service at rest leaves its database alone."""
        self._is_registered = False
        await self._remove(NodeRow(self.id, -1))

    async def _remove(self, node: NodeRow) -> bool:
        """A node with all it has. False when it showed life meanwhile, or somebody else was faster."""

        async def work(unit: UnitOfWork) -> bool:
            registry = NodeRegistry(unit.session)
            lost = await registry.remove_node(node)
            if lost is None:
                return False
            farewells = self._farewells(lost.sockets)
            await self._scribe.write(unit, Changes(events=farewells, presence=lost.channels))
            return True

        return await in_transaction(self._database, work)

    def _farewells(self, sockets: Iterable[LostSocket]) -> list[NewEvent]:
        said = (self._farewell(each) for each in sockets)
        return [each for each in said if each is not None]

    async def _commit(self, operations: Sequence[_Operation]) -> list[bool]:
        opened = [each.socket for each in operations if isinstance(each, _Open)]
        joined = {each.place: each.member for each in operations if isinstance(each, _Join)}
        gone, left = set(self._gone), set(self._left)

        async def work(unit: UnitOfWork) -> "_Outcome":
            return await self._write(unit, opened, joined, gone, left)

        outcome = await in_transaction(self._database, work)
        self._is_registered = True
        self._gone -= gone
        self._left -= left
        self._sockets |= {row.id: row for row in outcome.opened if row.id not in self._gone}
        self._present |= {place: member for place, member in joined.items() if place[0] in self._sockets}
        for place in self._left:
            self._present.pop(place, None)
        for socket_id in outcome.evicted:
            self._sockets.pop(socket_id, None)
            self._on_evicted(socket_id)
        accepted = {row.id for row in outcome.opened}
        return [each.socket.id in accepted if isinstance(each, _Open) else True for each in operations]

    async def _write(
        self, unit: UnitOfWork, opened: list[SocketRow], joined: dict[Place, Member], gone: set[UUID], left: set[Place]
    ) -> "_Outcome":
        registry = NodeRegistry(unit.session)
        evicted: set[UUID] = set()
        changed = {channel for _, channel in (*joined, *left)}
        if not await registry.beat(self.id):
            evicted = await self._come_back(registry)
            changed |= {channel for _, channel in self._present}
        lost = await registry.remove_sockets(gone)  # first: whoever comes back at once wants the slot again
        done = await registry.open(self.id, opened, self._max_sockets) if opened else []
        present = {row.id for row in done} | self._sockets.keys()
        await registry.join({place: member for place, member in joined.items() if place[0] in present - evicted})
        await registry.leave(left)
        changes = Changes(events=self._farewells(lost.sockets), presence=changed | set(lost.channels))
        if changes.events or changes.presence:
            await self._scribe.write(unit, changes, is_ours=True)
        return _Outcome(done, evicted)

    async def _come_back(self, registry: NodeRegistry) -> set[UUID]:
        """The first time, or after others have taken us for dead."""
        await registry.add_node(self.id, self._name)
        if not self._sockets:
            return set()
        log.warning("realtime.node_came_back", sockets=len(self._sockets))
        there = {row.id for row in await registry.open(self.id, list(self._sockets.values()), self._max_sockets)}
        await registry.join({place: member for place, member in self._present.items() if place[0] in there})
        return self._sockets.keys() - there


class _Outcome(msgspec.Struct, frozen=True):
    opened: list[SocketRow]
    evicted: set[UUID]

"""The statements about nodes, their sockets, and who is present by them."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, CursorResult, bindparam, delete, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.base import table_of
from app.lib.db.instants import database_now
from app.lib.db.prepared import columns_of, prepare
from app.lib.realtime.events import LostSocket
from app.lib.realtime.frames import Member
from app.lib.realtime.tables import RealtimeNode, RealtimePresence, RealtimeSocket

T = TypeVar("T")

_ROUNDS = 5
_CHUNK = 200

_nodes = table_of(RealtimeNode)
_sockets = table_of(RealtimeSocket)
_presence = table_of(RealtimePresence)


class NodeRow(msgspec.Struct, frozen=True):
    """A node, and how many signs of life it has given (-1: whatever it has given)."""

    id: UUID
    beats: int


class SocketRow(msgspec.Struct, frozen=True):
    """A socket, as it is registered."""

    id: UUID
    user_id: UUID
    session_id: UUID
    kind: str
    label: str | None


class Lost(msgspec.Struct, frozen=True):
    """What went, and the channels in which somebody was present by it."""

    sockets: Sequence[LostSocket]
    channels: Collection[str]


all_nodes = prepare(select(_nodes.c.id, _nodes.c.beats), NodeRow)
present_elsewhere = prepare(
    select(_presence.c.member_id.label("id"), _presence.c.name)
    .join(_sockets, _sockets.c.id == _presence.c.socket_id)
    .where(_presence.c.channel == bindparam("channel"), _sockets.c.node_id != bindparam("node_id"))
    .order_by(_presence.c.member_id),
    Member,
)


class NodeRegistry:
    """In one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert

    async def beat(self, node_id: UUID) -> bool:
        """A sign of life. False when the node is not there, or not any more."""
        result = await self._session.execute(
            update(_nodes).where(_nodes.c.id == node_id).values(beats=_nodes.c.beats + 1)
        )
        return isinstance(result, CursorResult) and result.rowcount == 1

    async def add_node(self, node_id: UUID, name: str) -> None:
        """The node is there from now on."""
        await self._session.execute(
            self._insert(_nodes).values(id=node_id, name=name, beats=0, started_at=database_now())
        )

    async def remove_node(self, node: NodeRow) -> Lost | None:
        """With its sockets and their presence. None when it is gone, or has shown life since."""
        mine = [_nodes.c.id == node.id]
        if node.beats >= 0:
            mine.append(_nodes.c.beats == node.beats)
        found = await self._session.execute(select(_nodes.c.id).where(*mine).with_for_update())
        if found.first() is None:
            return None
        lost = await self._lost(_sockets.c.node_id == node.id)
        await self._session.execute(delete(_nodes).where(_nodes.c.id == node.id))
        return lost

    async def open(self, node_id: UUID, rows: Sequence[SocketRow], most: int) -> list[SocketRow]:
        """Those for which there was a slot. Others may be taking slots of the same person at the same moment."""
        waiting, done = list(rows), []
        for _ in range(_ROUNDS):
            chosen = await self._choose(waiting, most)
            if not chosen:
                break
            inserted = await self._insert_sockets(node_id, waiting, chosen)
            done += [row for row in waiting if row.id in inserted]
            waiting = [row for row in waiting if row.id in chosen and row.id not in inserted]
        return done

    async def join(self, places: Mapping[tuple[UUID, str], Member]) -> None:
        """Present from now on; again changes nothing."""
        if places:
            await self._session.execute(
                self._insert(_presence).on_conflict_do_nothing(),
                [
                    {"channel": channel, "socket_id": socket_id, "member_id": member.id, "name": member.name}
                    for (socket_id, channel), member in sorted(places.items(), key=lambda item: item[0])
                ],
            )

    async def leave(self, places: Collection[tuple[UUID, str]]) -> None:
        """Not present any more."""
        for chunk in _chunks(sorted(places)):
            key = tuple_(_presence.c.socket_id, _presence.c.channel)
            await self._session.execute(delete(_presence).where(key.in_(chunk)))

    async def remove_sockets(self, ids: Collection[UUID]) -> Lost:
        """Those that were still there."""
        sockets: list[LostSocket] = []
        channels: set[str] = set()
        for chunk in _chunks(sorted(ids)):
            lost = await self._lost(_sockets.c.id.in_(chunk))
            await self._session.execute(delete(_sockets).where(_sockets.c.id.in_(chunk)))
            sockets += lost.sockets
            channels.update(lost.channels)
        return Lost(sockets, channels)

    async def _lost(self, which: ColumnElement[bool]) -> Lost:
        """Locked, so that of two who remove a socket only one says farewell."""
        rows = await self._session.execute(
            select(*columns_of(LostSocket, _sockets.c)).where(which).order_by(_sockets.c.id).with_for_update()
        )
        channels = await self._session.execute(
            select(_presence.c.channel).join(_sockets, _sockets.c.id == _presence.c.socket_id).where(which).distinct()
        )
        return Lost([LostSocket(*row) for row in rows], set(channels.scalars()))

    async def _choose(self, rows: Sequence[SocketRow], most: int) -> dict[UUID, int]:
        """A free slot for each socket, as far as there are any."""
        users = sorted({row.user_id for row in rows})
        taken: dict[UUID, set[int]] = defaultdict(set)
        for chunk in _chunks(users):
            found = await self._session.execute(
                select(_sockets.c.user_id, _sockets.c.slot).where(_sockets.c.user_id.in_(chunk))
            )
            for user_id, slot in found:
                taken[user_id].add(slot)
        chosen: dict[UUID, int] = {}
        for row in rows:
            free = next((slot for slot in range(most) if slot not in taken[row.user_id]), None)
            if free is not None:
                taken[row.user_id].add(free)
                chosen[row.id] = free
        return chosen

    async def _insert_sockets(self, node_id: UUID, rows: Sequence[SocketRow], chosen: Mapping[UUID, int]) -> set[UUID]:
        """The ids of those whose slot nobody else was faster to take. In the order of persons, against deadlocks."""
        values = [
            {**msgspec.structs.asdict(row), "node_id": node_id, "slot": chosen[row.id]}
            for row in rows
            if row.id in chosen
        ]
        values.sort(key=lambda each: (each["user_id"], each["slot"]))
        statement = self._insert(_sockets).values(opened_at=database_now()).on_conflict_do_nothing()
        found = await self._session.execute(statement.returning(_sockets.c.id), values)
        return set(found.scalars())


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]

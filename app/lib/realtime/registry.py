"""The sockets of this process and the members who are present by them, in the database, for the other processes.

All of it hangs on one row, the lease of the process, which it renews twice a second. When the process is killed its
sockets soon do not count any more, and later the others stop showing its people. The first of these may happen to a
process that is slow for a moment, too, and harms no one: its people may open a socket too many.
"""

import asyncio
from collections.abc import Callable, Collection
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import Float, Integer, String, Text, Uuid, bindparam, delete, func, insert, select, update

from app.lib.db.base import new_id, table_of
from app.lib.db.engine import Database
from app.lib.db.faults import DATABASE_ERRORS
from app.lib.db.instants import database_now, database_now_plus
from app.lib.db.prepared import prepare
from app.lib.db.retries import in_transaction
from app.lib.db.statements import delete_batch, insert_or_update, is_one_of, json_list
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.realtime.channels import Member, PresenceChanged
from app.lib.realtime.errors import TooManyConnections
from app.lib.realtime.options import RealtimeOptions
from app.lib.realtime.tables import RealtimePresence, RealtimeProcess, RealtimeSocket

log = structlog.stdlib.get_logger(__name__)

_FAILURES: tuple[type[Exception], ...] = (*DATABASE_ERRORS, OSError)
_PURGE_AFTER = 70.0
"""Seconds for which a lease is kept: a process that could not reach the database may still renew it."""

_processes = table_of(RealtimeProcess)
_sockets = table_of(RealtimeSocket)
_presence = table_of(RealtimePresence)


class _Present(msgspec.Struct, frozen=True):
    channel: str
    member_id: UUID
    name: str


_process_id = bindparam("process_id", type_=Uuid())
_user_id = bindparam("user_id", type_=Uuid())
_is_renewed = _processes.c.renewed_at > database_now_plus(bindparam("seconds", type_=Float()))

_lease = prepare(
    insert_or_update(_processes)
    .values(id=_process_id, renewed_at=database_now())
    .on_conflict_do_update(index_elements=["id"], set_={"renewed_at": database_now()})
)
_renew = prepare(update(_processes).where(_processes.c.id == _process_id).values(renewed_at=database_now()))
_end_lease = prepare(delete(_processes).where(_processes.c.id == _process_id))
_killed = select(_processes.c.id).where(_processes.c.renewed_at <= database_now_plus(-_PURGE_AFTER))
_orphans = select(_sockets.c.id).where(_sockets.c.process_id.in_(_killed))
_purges = tuple(
    # In this order, because one row that others hang on may take very many along.
    prepare(delete_batch(table, column.in_(rows)))
    for table, column, rows in (
        (_presence, _presence.c.socket_id, _orphans),
        (_sockets, _sockets.c.process_id, _killed),
        (_processes, _processes.c.id, _killed),
    )
)
_lock_user = prepare(select(func.pg_advisory_xact_lock(bindparam("number")).cast(Text)), str)
_open_sockets = (
    select(func.count())
    .select_from(_sockets.join(_processes, _processes.c.id == _sockets.c.process_id))
    .where(_sockets.c.user_id == _user_id, _is_renewed)
    .scalar_subquery()
)
_open = prepare(
    insert(_sockets).from_select(
        ["id", "process_id", "user_id"],
        select(bindparam("socket_id", type_=Uuid()), _process_id, _user_id).where(
            _open_sockets < bindparam("most", type_=Integer())
        ),
        include_defaults=False,
    )
)
_close = prepare(delete(_sockets).where(_sockets.c.id == bindparam("socket_id")))
_join = prepare(
    insert(_presence).from_select(
        ["id", "channel", "socket_id", "member_id", "name"],
        select(
            bindparam("presence_id", type_=Uuid()),
            bindparam("channel", type_=String()),
            _sockets.c.id,
            bindparam("member_id", type_=Uuid()),
            bindparam("name", type_=String()),
        ).where(_sockets.c.id == bindparam("socket_id")),
        include_defaults=False,
    )
)
_leave = prepare(delete(_presence).where(_presence.c.id == bindparam("presence_id")))
_present_elsewhere = prepare(
    select(_presence.c.channel, _presence.c.member_id, _presence.c.name)
    .join(_sockets, _sockets.c.id == _presence.c.socket_id)
    .join(_processes, _processes.c.id == _sockets.c.process_id)
    .where(is_one_of(_presence.c.channel, "channels"), _processes.c.id != _process_id, _is_renewed)
    .order_by(_presence.c.member_id),
    _Present,
)


class SocketRegistry:
    """``sockets`` are those that are open. ``on_expired`` is called when the lease was lost, and they with it."""

    def __init__(
        self,
        database: Database,
        events: Events,
        sockets: Collection[UUID],
        on_expired: Callable[[], None],
        options: RealtimeOptions,
    ) -> None:
        self._sockets = sockets
        self._database = database
        self._events = events
        self._on_expired = on_expired
        self._options = options
        self._process_id = new_id()
        self._has_lease = False
        self._closed: dict[UUID, UUID] = {}
        self._left: dict[UUID, str] = {}
        self._has_removals = asyncio.Event()

    async def close(self) -> None:
        """Removes everything of this process, unless that fails or takes too long; then its lease expires."""

        async def work(unit: UnitOfWork) -> None:
            await unit.execute(_end_lease, process_id=self._process_id)
            for channel in set(self._left.values()):
                await self._events.publish(unit, PresenceChanged(channel=channel))

        if not self._has_lease:
            return
        try:
            async with asyncio.timeout(self._options.close_seconds):
                await in_transaction(self._database, work)
        except _FAILURES as exc:
            log.warning("realtime.lease_not_ended", error=type(exc).__name__)

    async def open(self, socket_id: UUID, user_id: UUID) -> None:
        """Counts a socket. Raises ``TooManyConnections``, or what the database raises."""
        self._has_lease = True
        opening = asyncio.ensure_future(
            in_transaction(self._database, lambda unit: self._open(unit, socket_id, user_id))
        )
        try:
            is_open = await asyncio.shield(opening)
        except BaseException:
            opening.add_done_callback(lambda _: self.remove(socket_id, user_id))
            raise
        if not is_open:
            raise TooManyConnections

    def remove(self, socket_id: UUID, user_id: UUID) -> None:
        """The socket of a user has ended. Does not wait."""
        self._closed[socket_id] = user_id
        self._has_removals.set()

    async def join(self, presence_id: UUID, socket_id: UUID, channel: str, member: Member) -> None:
        """Makes a member present. Raises what the database raises."""

        async def work(unit: UnitOfWork) -> None:
            await unit.execute(
                _join,
                presence_id=presence_id,
                socket_id=socket_id,
                channel=channel,
                member_id=member.id,
                name=member.name,
            )
            await self._events.publish(unit, PresenceChanged(channel=channel))

        await in_transaction(self._database, work)

    def leave(self, presence_id: UUID, channel: str) -> None:
        """Ends a presence. Does not wait."""
        self._left[presence_id] = channel
        self._has_removals.set()

    async def present_elsewhere(self, channels: Collection[str]) -> dict[str, dict[UUID, Member]]:
        """Who is present in the channels by sockets of other processes."""
        found: dict[str, dict[UUID, Member]] = {channel: {} for channel in channels}
        for row in await self._database.reader.all(
            _present_elsewhere,
            channels=json_list(channels),
            process_id=self._process_id,
            seconds=-self._options.expire_seconds,
        ):
            found[row.channel][row.member_id] = Member(row.member_id, row.name)
        return found

    async def purge(self, unit: UnitOfWork) -> int:
        """Deletes a batch of what processes that were killed have left. Returns its size."""
        for statement in _purges:
            if count := await unit.execute(statement):
                return count
        return 0

    async def _open(self, unit: UnitOfWork, socket_id: UUID, user_id: UUID) -> bool:
        if not self._database.url.is_sqlite:  # which has one writer
            await unit.all(_lock_user, number=user_id.int % 2**63)
        # First: a client that comes back at once is not counted twice.
        closed = [{"socket_id": each} for each, owner in self._closed.items() if owner == user_id]
        await unit.execute_many(_close, closed)
        process_id = self._process_id
        await unit.execute(_lease, process_id=process_id)
        count = await unit.execute(
            _open,
            socket_id=socket_id,
            process_id=process_id,
            user_id=user_id,
            most=self._options.max_sockets,
            seconds=-self._options.alive_seconds,
        )
        return count == 1

    async def renew_lease(self) -> None:
        """Renews the lease, after a while, if there are sockets."""
        await asyncio.sleep(self._options.renew_seconds)
        if not self._sockets:
            return  # a service at rest does not write

        async def work(unit: UnitOfWork) -> int:
            return await unit.execute(_renew, process_id=self._process_id)

        if not await in_transaction(self._database, work) and self._sockets:
            self._process_id = new_id()
            self._on_expired()

    async def remove_ended(self) -> None:
        """Removes what has ended, all of the same moment together. Waits until there is something."""
        if not self._closed and not self._left:
            await self._has_removals.wait()
        self._has_removals.clear()
        closed, left = dict(self._closed), dict(self._left)

        async def work(unit: UnitOfWork) -> None:
            await unit.execute_many(_leave, [{"presence_id": each} for each in sorted(left)])
            await unit.execute_many(_close, [{"socket_id": each} for each in sorted(closed)])
            for channel in set(left.values()):
                await self._events.publish(unit, PresenceChanged(channel=channel))

        await in_transaction(self._database, work)
        for each in closed:
            del self._closed[each]
        for each in left:
            del self._left[each]

"""The sockets of this process and the members who are present by them, in the database, for the other processes.

A socket is present as a member is: in a channel of its user, which is not the name of one that can be subscribed to. So
the number of a user's sockets is limited on all processes together.

All rows hang on one, the lease of the process, which it renews twice a second. When the process is killed its sockets
soon do not count any more, and later the others stop showing its people. The first of these may happen to a process
that is slow for a moment, too, and harms no one: its people may open a socket too many.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import Float, Integer, String, Text, Uuid, bindparam, delete, func, insert, select, update

from app.lib.db.base import new_id, table_of
from app.lib.db.engine import Database
from app.lib.db.faults import DATABASE_ERRORS
from app.lib.db.instants import database_now, database_now_plus
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.retries import in_transaction
from app.lib.db.statements import delete_batch, insert_or_update, is_one_of, json_list
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.realtime.channels import Member, PresenceChanged
from app.lib.realtime.errors import TooManyConnections
from app.lib.realtime.options import RealtimeOptions
from app.lib.realtime.tables import RealtimePresence, RealtimeProcess

log = structlog.stdlib.get_logger(__name__)

_FAILURES: tuple[type[Exception], ...] = (*DATABASE_ERRORS, OSError)
_PURGE_AFTER = 70.0
"""Seconds for which a lease is kept: a process that could not reach the database may still renew it."""

_CONNECTIONS = "#"
"""What the channels begin with in which sockets are present."""

_processes = table_of(RealtimeProcess)
_presence = table_of(RealtimePresence)


class _Present(msgspec.Struct, frozen=True):
    channel: str
    member_id: UUID
    username: str | None
    name: str | None
    avatar_url: str | None


_process_id = bindparam("process_id", type_=Uuid())
_channel = bindparam("channel", type_=String())
_is_renewed = _processes.c.renewed_at > database_now_plus(bindparam("seconds", type_=Float()))

_lease = prepare(
    insert_or_update(_processes)
    .values(id=_process_id, renewed_at=database_now())
    .on_conflict_do_update(index_elements=["id"], set_={"renewed_at": database_now()})
)
_renew = prepare(update(_processes).where(_processes.c.id == _process_id).values(renewed_at=database_now()))
_end_lease = prepare(delete(_processes).where(_processes.c.id == _process_id))
_killed = _processes.c.renewed_at <= database_now_plus(-_PURGE_AFTER)
_purges = (
    # In this order, because one row that others hang on may take very many along.
    prepare(delete_batch(_presence, _presence.c.process_id.in_(select(_processes.c.id).where(_killed)))),
    prepare(delete_batch(_processes, _killed)),
)
_lock_user = prepare(select(func.pg_advisory_xact_lock(bindparam("number")).cast(Text)), str)
_present = _presence.join(_processes, _processes.c.id == _presence.c.process_id)
_count = select(func.count()).select_from(_present).where(_presence.c.channel == _channel, _is_renewed)
_new = select(
    bindparam("presence_id", type_=Uuid()),
    _processes.c.id,
    _channel,
    bindparam("member_id", type_=Uuid()),
    bindparam("username", type_=String()),
    bindparam("name", type_=String()),
    bindparam("avatar_url", type_=String()),
).where(_processes.c.id == _process_id)
_columns = ["id", "process_id", "channel", "member_id", "username", "name", "avatar_url"]
_join = prepare(insert(_presence).from_select(_columns, _new, include_defaults=False))
_open = prepare(
    insert(_presence).from_select(
        _columns, _new.where(_count.scalar_subquery() < bindparam("most", type_=Integer())), include_defaults=False
    )
)
_leave = prepare(delete(_presence).where(_presence.c.id == bindparam("presence_id")))
_members = prepare(
    select(*columns_of(_Present, RealtimePresence))
    .select_from(_present)
    .where(is_one_of(_presence.c.channel, "channels"), _is_renewed)
    .order_by(_presence.c.member_id),
    _Present,
)


def connections_of(user_id: UUID) -> str:
    """The channel in which the sockets of a user are present."""
    return f"{_CONNECTIONS}{user_id}"


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
        self._left: dict[UUID, str] = {}
        self._has_removals = asyncio.Event()

    async def close(self) -> None:
        """Removes everything of this process, unless that fails or takes too long; then its lease expires."""

        async def work(unit: UnitOfWork) -> None:
            await unit.execute(_end_lease, process_id=self._process_id)
            await self._announce(unit, self._left.values())

        if not self._has_lease:
            return
        try:
            async with asyncio.timeout(self._options.close_seconds):
                await in_transaction(self._database, work)
        except _FAILURES as exc:
            log.warning("realtime.lease_not_ended", error=type(exc).__name__)

    async def open(self, socket_id: UUID, user_id: UUID) -> None:
        """Counts a socket, until it leaves :func:`connections_of` its user. Raises ``TooManyConnections``, or what the
        database raises.
        """
        channel = connections_of(user_id)

        async def work(unit: UnitOfWork) -> int:
            if not self._database.url.is_sqlite:  # which has one writer
                await unit.all(_lock_user, number=user_id.int % 2**63)
            # First: a client that comes back at once is not counted twice.
            left = [{"presence_id": each} for each, where in sorted(self._left.items()) if where == channel]
            await unit.execute_many(_leave, left)
            row = self._row(socket_id, channel, Member(user_id, None, None, None))
            await unit.execute(_lease, process_id=row["process_id"])
            most, seconds = self._options.max_sockets, -self._options.alive_seconds
            return await unit.execute(_open, **row, most=most, seconds=seconds)

        self._has_lease = True
        if not await self._insert(socket_id, channel, work):
            raise TooManyConnections

    async def join(self, presence_id: UUID, channel: str, member: Member) -> None:
        """Makes a member present. Raises what the database raises."""

        async def work(unit: UnitOfWork) -> int:
            await self._announce(unit, [channel])
            return await unit.execute(_join, **self._row(presence_id, channel, member))

        await self._insert(presence_id, channel, work)

    def leave(self, presence_id: UUID, channel: str) -> None:
        """Ends a presence. Does not wait."""
        self._left[presence_id] = channel
        self._has_removals.set()

    async def present(self, channels: Collection[str]) -> dict[str, dict[UUID, Member]]:
        """Who is present in the channels, by sockets of any process."""
        found: dict[str, dict[UUID, Member]] = {channel: {} for channel in channels}
        seconds = -self._options.expire_seconds
        for row in await self._database.reader.all(_members, channels=json_list(channels), seconds=seconds):
            found[row.channel][row.member_id] = Member(row.member_id, row.username, row.name, row.avatar_url)
        return found

    async def purge(self, unit: UnitOfWork) -> int:
        """Deletes a batch of what processes that were killed have left. Returns its size."""
        for statement in _purges:
            if count := await unit.execute(statement):
                return count
        return 0

    async def renew_lease(self) -> None:
        """Renews the lease, after a while, if there are sockets."""
        await asyncio.sleep(self._options.renew_seconds)
        if not self._sockets:
            return  # a service at rest does not write
        renewed = await in_transaction(self._database, lambda unit: unit.execute(_renew, process_id=self._process_id))
        if not renewed and self._sockets:
            self._process_id = new_id()
            self._on_expired()

    async def remove_ended(self) -> None:
        """Removes what has ended, all of the same moment together. Waits until there is something."""
        if not self._left:
            await self._has_removals.wait()
        self._has_removals.clear()
        left = dict(self._left)

        async def work(unit: UnitOfWork) -> None:
            await unit.execute_many(_leave, [{"presence_id": each} for each in sorted(left)])
            await self._announce(unit, left.values())

        await in_transaction(self._database, work)
        for each in left:
            del self._left[each]

    def _row(self, presence_id: UUID, channel: str, member: Member) -> dict[str, object]:
        return {
            "presence_id": presence_id,
            "process_id": self._process_id,
            "channel": channel,
            "member_id": member.id,
            "username": member.username,
            "name": member.name,
            "avatar_url": member.avatar_url,
        }

    async def _insert(self, presence_id: UUID, channel: str, work: Callable[[UnitOfWork], Awaitable[int]]) -> int:
        """Inserts a row. It leaves again when the caller does not wait for the end."""
        inserting = asyncio.ensure_future(in_transaction(self._database, work))
        try:
            return await asyncio.shield(inserting)
        except BaseException:
            inserting.add_done_callback(lambda _: self.leave(presence_id, channel))
            raise

    async def _announce(self, unit: UnitOfWork, channels: Iterable[str]) -> None:
        for channel in set(channels):
            if not channel.startswith(_CONNECTIONS):
                await self._events.publish(unit, PresenceChanged(channel=channel))

"""The log: append only, ids contiguous in each channel. What a process publishes at one time shares a transaction."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec
import structlog
from msgspec import Raw
from sqlalchemy import (
    BigInteger,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    insert,
    or_,
    select,
    update,
)

from app.lib.db.base import new_id, table_of
from app.lib.db.engine import Database
from app.lib.db.instants import database_now
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.reader import Reader
from app.lib.db.retries import in_transaction
from app.lib.db.statements import delete_batch, insert_or_update, is_one_of, json_list, json_pairs
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.realtime.channels import ChannelAdvanced, ChannelKind, NewEvent
from app.lib.realtime.errors import as_realtime_error
from app.lib.realtime.frames import Event
from app.lib.realtime.options import RealtimeOptions
from app.lib.realtime.quota import Quota
from app.lib.realtime.tables import RealtimeChannel, RealtimeEvent

log = structlog.stdlib.get_logger(__name__)

MAX_BATCH = 256
"""Events that share a transaction."""

PAGE = 25
"""Events of one channel that are read at a time: at their largest, 1.6 megabytes."""

_channels = table_of(RealtimeChannel)
_events = table_of(RealtimeEvent)

Acknowledge = Callable[[int], None]


class StoredEvent(msgspec.Struct, frozen=True):
    """A row of the log."""

    channel: str
    id: int
    event: str
    data: str
    sender_id: UUID | None
    key: UUID
    created_at: datetime
    target_id: int | None = None
    edited_at: datetime | None = None
    version: int = 1

    @property
    def frame(self) -> Event:
        """What sockets send."""
        data = self.data if self.target_id is None else f'{{"message_id":{self.target_id},"data":{self.data}}}'
        return Event(
            channel=self.channel,
            id=self.id,
            event=self.event,
            data=Raw(data.encode()),
            sent_at=self.created_at,
            sender_id=self.sender_id,
        )


class _Position(msgspec.Struct, frozen=True):
    name: str
    last_id: int
    now: datetime


class _Known(msgspec.Struct, frozen=True):
    key: UUID
    id: int


_pairs = json_pairs(bindparam("pairs", type_=Text())).table_valued("key", "value", name="pairs")
_since = cast(_pairs.c.value, BigInteger)
_is_not_expired = or_(_events.c.expires_at.is_(None), _events.c.expires_at > database_now())

_last_ids = prepare(
    select(_channels.c.name, _channels.c.last_id, database_now().label("now")).where(
        is_one_of(_channels.c.name, "names")
    ),
    _Position,
)
_target = _events.alias("target")


def stored_events(of: FromClause = _events) -> Select[Any]:
    """Events as they are read: what has updated or deleted another has its data from there."""
    columns = {
        "event": case((_target.c.target_id.is_not(None), _target.c.event), else_=_events.c.event),
        "data": func.coalesce(_target.c.data, _events.c.data),
    }
    is_target = and_(_target.c.channel == _events.c.channel, _target.c.id == _events.c.target_id)
    return select(*columns_of(StoredEvent, _events.c, **columns)).select_from(of.outerjoin(_target, is_target))


_after = prepare(
    stored_events(
        _pairs.join(
            _events, and_(_events.c.channel == _pairs.c.key, _events.c.id > _since, _events.c.id <= _since + PAGE)
        )
    )
    .where(_is_not_expired)
    .order_by(_events.c.channel, _events.c.id),
    StoredEvent,
)
_counts = insert_or_update(_channels).from_select(
    ["name", "last_id"], select(_pairs.c.key, _since).order_by(_pairs.c.key), include_defaults=False
)
_advance = prepare(
    _counts.on_conflict_do_update(
        index_elements=["name"], set_={"last_id": _channels.c.last_id + _counts.excluded.last_id}
    ).returning(_channels.c.name, _channels.c.last_id, database_now().label("now")),
    _Position,
)
_take_back = prepare(
    update(_channels)
    .where(_channels.c.name == bindparam("channel"))
    .values(last_id=_channels.c.last_id - bindparam("count", type_=BigInteger()))
)
_known = prepare(
    select(*columns_of(_Known, _events.c)).select_from(
        _pairs.join(
            _events, and_(_events.c.channel == _pairs.c.value, _events.c.key == cast(_pairs.c.key, _events.c.key.type))
        )
    ),
    _Known,
)
_insert = prepare(insert(_events))
_trim = prepare(delete_batch(_events, _events.c.expires_at <= database_now()))


def key_of(event: NewEvent) -> UUID:
    """The same for an event that the same sender publishes again with the same key, else random."""
    if event.key is None:
        return new_id()
    text = f"{event.channel}\n{event.sender or ''}\n{event.key}"
    return UUID(bytes=sha256(text.encode()).digest()[:16])


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


class EventLog:
    """Events of a kind that is kept stay, for good or for ``keep_days``; of the others, those of ``keep_seconds``."""

    def __init__(self, reader: Reader, kinds: Mapping[str, ChannelKind], options: RealtimeOptions) -> None:
        self._reader = reader
        self._kinds = kinds
        self._keep = timedelta(seconds=options.keep_seconds)
        self._keep_kept = None if options.keep_days is None else timedelta(days=options.keep_days)

    async def last_ids(self, names: Iterable[str]) -> dict[str, int]:
        """Those of the channels that have ever had an event."""
        return {row.name: row.last_id for row in await self._reader.all(_last_ids, names=json_list(names))}

    async def after(self, positions: Mapping[str, int]) -> list[StoredEvent]:
        """The first events after an id, of each of the channels, in order. When the first of a channel is not the next
        one, older ones are gone.
        """
        return await self._reader.all(_after, pairs=_json(positions))

    async def append(
        self, unit: UnitOfWork, events: Mapping[UUID, NewEvent]
    ) -> tuple[list[StoredEvent], dict[UUID, int]]:
        """Stores events by their keys, except those that were published before. Returns what was stored, and the ids of
        all of them by their keys.

        Locks the channels in the order of their names until the transaction ends.
        """
        counts = Counter(event.channel for event in events.values())
        advanced = await unit.all(_advance, pairs=_json(counts))
        last_ids, now = {row.name: row.last_id for row in advanced}, advanced[0].now
        # After the locks: transactions that store the same keys have ended, or wait for this one.
        asked = {key.hex: event.channel for key, event in events.items() if event.key is not None}
        ids = {row.key: row.id for row in await unit.all(_known, pairs=_json(asked))} if asked else {}
        if ids:
            surplus = Counter(events[key].channel for key in ids)
            await unit.execute_many(_take_back, [{"channel": name, "count": surplus[name]} for name in sorted(surplus)])
            last_ids = {name: last_id - surplus[name] for name, last_id in last_ids.items()}
            counts -= surplus
        next_ids = {name: last_ids[name] - count + 1 for name, count in counts.items()}
        stored: list[StoredEvent] = []
        rows: list[dict[str, Any]] = []
        for key, event in events.items():
            if key in ids:
                continue
            ids[key], next_ids[event.channel] = next_ids[event.channel], next_ids[event.channel] + 1
            data = event.data.decode()
            row = StoredEvent(event.channel, ids[key], event.event, data, event.sender, key, now, event.target)
            stored.append(row)
            kind = self._kinds.get(event.channel.partition(":")[0])
            keep = self._keep_kept if kind is not None and kind.is_kept else self._keep
            kept = {"expires_at": None if keep is None else now + keep}
            rows.append(msgspec.structs.asdict(row) | kept | ({} if event.target is None else {"data": "null"}))
        await unit.execute_many(_insert, rows)
        return stored, ids

    async def trim(self, unit: UnitOfWork) -> int:
        """Deletes a batch of events whose time is over. Returns its size."""
        return await unit.execute(_trim)


class ChannelWriter:
    """Publishes events: to the log, and after the commit to the subscribers in all processes.

    What is published while a transaction runs shares the next one.
    """

    def __init__(self, database: Database, event_log: EventLog, events: Events, max_per_day: int) -> None:
        self.published = 0
        """Events that were published one by one, since the start."""
        self.on_committed: Callable[[Sequence[StoredEvent]], None] | None = None
        """Called with what this process has committed."""
        self._database = database
        self._log = event_log
        self._events = events
        self.quota = Quota(database.reader, max_per_day)
        self._queue: dict[UUID, NewEvent] = {}
        self._publishers: dict[UUID, list[tuple[asyncio.Future[int], Acknowledge | None]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def publish(self, event: NewEvent, acknowledge: Acknowledge | None = None) -> int:
        """Stores an event and returns its id; all subscribers get it.

        ``acknowledge`` is called with the id, once, before any subscriber of this process gets the event. Raises
        ``QuotaReached`` for a sender, and
        ``RealtimeUnavailable`` when the database is away; whether it was stored may then be unknown, so repeat it
        with its key. Cancelling the caller changes nothing. Not for use inside of a transaction: see
        :meth:`publish_in`.
        """
        if event.sender is not None:
            await self.quota.take(event.sender)
        key = key_of(event)
        published: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._publishers.setdefault(key, []).append((published, acknowledge))
        self._queue.setdefault(key, event)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._commit_all())
        return await published

    async def publish_in(self, unit: UnitOfWork, *events: NewEvent) -> list[int]:
        """The same in the caller's transaction: subscribers get the events after the commit. Returns their ids.

        Locks the channels until then, so do it last, and once.
        """
        by_key = {key_of(event): event for event in events}
        ids = await self._append(unit, by_key) if by_key else {}
        return [ids[key] for key in by_key]

    def acknowledge(self, key: UUID, event_id: int) -> None:
        """Gives the publisher of an event its id. Called before the event is delivered, however it was found: the
        answer to the commit may come later, or be lost.
        """
        for published, acknowledge in self._publishers.pop(key, ()):
            if not published.done():
                published.set_result(event_id)
                if acknowledge is not None:
                    acknowledge(event_id)

    async def drain(self, seconds: float) -> None:
        """Waits until everything is written, but no longer than that."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=seconds)

    async def _commit_all(self) -> None:
        while self._queue:
            batch = dict(islice(self._queue.items(), MAX_BATCH))
            for key in batch:
                del self._queue[key]
            await self._commit(batch)

    async def _commit(self, batch: Mapping[UUID, NewEvent]) -> None:
        try:
            ids = await in_transaction(self._database, lambda unit: self._append(unit, batch))
        except Exception as exc:
            error = as_realtime_error(exc)
            if error is None and len(batch) > 1:  # a bad event must not affect the others
                for key, event in batch.items():
                    await self._commit({key: event})
                return
            log.warning("realtime.commit_failed", error=type(exc).__name__, exc_info=None if error else exc)
            for key in batch:
                for published, _ in self._publishers.pop(key, ()):
                    if not published.done():
                        published.set_exception(error or exc)
        else:
            self.published += len(ids)
            for key, event_id in ids.items():
                self.acknowledge(key, event_id)

    async def _append(self, unit: UnitOfWork, events: Mapping[UUID, NewEvent]) -> dict[UUID, int]:
        stored, ids = await self._log.append(unit, events)
        if stored and self.on_committed is not None:
            unit.after_commit(partial(self.on_committed, stored))
        for channel, last_id in {row.channel: row.id for row in stored}.items():
            await self._events.publish(unit, ChannelAdvanced(channel=channel, id=last_id))
        return ids

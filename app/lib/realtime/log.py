"""The log: append only, ids contiguous in each channel, one transaction for all that a process has to say."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, case, delete, insert, literal, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.base import new_id, table_of
from app.lib.db.instants import database_now, database_now_plus
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.reader import Reader
from app.lib.db.statements import is_one_of, json_list
from app.lib.realtime.events import NewEvent, StoredEvent
from app.lib.realtime.frames import REPLAY_LIMIT
from app.lib.realtime.tables import RealtimeChannel, RealtimeEvent

PAGE = 50
"""Events that are read at a time: at their largest, three megabytes."""

_PRUNE_EVERY = 100
_SAFE_SECONDS = 30.0
"""Nothing younger is pruned: a worker without hints looks every second, and must find what happened meanwhile."""

_channels = table_of(RealtimeChannel)
_events = table_of(RealtimeEvent)


class ChannelState(msgspec.Struct, frozen=True):
    """Where a channel stands."""

    name: str
    last_id: int = 0
    presence_version: int = 0
    access_version: int = 0


class Appended(msgspec.Struct, frozen=True):
    """The id of an event; ``stored`` is None when it had been published before."""

    id: int
    stored: StoredEvent | None


class Changes(msgspec.Struct, frozen=True):
    """What a transaction does to channels, all in one, so that no two of them wait for each other in a circle."""

    events: Sequence[NewEvent] = ()
    presence: Collection[str] = ()
    access: Collection[str] = ()


class Written(msgspec.Struct, frozen=True):
    """``appended`` in the order of the events; ``states`` of all channels that were touched."""

    appended: list[Appended]
    states: Mapping[str, ChannelState]


_states = prepare(
    select(*columns_of(ChannelState, _channels.c)).where(is_one_of(_channels.c.name, "names")), ChannelState
)
_after = prepare(
    select(*columns_of(StoredEvent, _events.c))
    .where(
        _events.c.channel == bindparam("channel"),
        _events.c.id > bindparam("since"),
        or_(_events.c.expires_at.is_(None), _events.c.expires_at > database_now()),
    )
    .order_by(_events.c.id)
    .limit(bindparam("most")),
    StoredEvent,
)


def key_of(event: NewEvent) -> UUID:
    """What an event is known by: the same for whoever publishes it again with the same key, else random."""
    if event.key is None:
        return new_id()
    text = f"{event.channel}\n{event.sender or ''}\n{event.key}"
    return UUID(bytes=sha256(text.encode()).digest()[:16])


class EventLog:
    """Writes in the session that it is given; reads by the reader.

    Events of channels of a kind in ``kept_kinds`` stay; of the others, those of the last ``keep_seconds``, and hardly
    more than the last 200 unless they came within half a minute.
    """

    def __init__(self, reader: Reader, kept_kinds: Collection[str], keep_seconds: float) -> None:
        self._reader = reader
        self._kept_kinds = frozenset(kept_kinds)
        self._keep = timedelta(seconds=keep_seconds)
        self._safe_seconds = min(_SAFE_SECONDS, keep_seconds)

    async def states(self, names: Iterable[str]) -> dict[str, ChannelState]:
        """Those of the channels that have ever had anything."""
        return {state.name: state for state in await self._reader.all(_states, names=json_list(names))}

    async def after(self, channel: str, since: int, most: int = PAGE) -> list[StoredEvent]:
        """The first events after an id, in order. When the first is not ``since + 1``, older ones are gone."""
        return await self._reader.all(_after, channel=channel, since=since, most=most)

    async def write(self, session: AsyncSession, changes: Changes, keys: Sequence[UUID] | None = None) -> Written:
        """Appends events (``keys`` are their :func:`key_of`, where those are known already) and counts changes.

        Locks the channels in the order of their names until the transaction ends. An event whose key is there already
        is not stored again and has the old id.
        """
        keys = keys or [key_of(event) for event in changes.events]
        counts = Counter({event.channel: 0 for event in changes.events})
        first: dict[UUID, NewEvent] = {}
        for key, event in zip(keys, changes.events, strict=True):
            if key not in first:
                first[key] = event
                counts[event.channel] += 1
        states, now = await self._advance(session, changes, counts)
        known = await self._known(session, first)
        if known:
            surplus = Counter(first[key].channel for key in known)
            states = await self._take_back(session, states, surplus)
            counts -= surplus
        ids = {channel: states[channel].last_id - count for channel, count in counts.items()}
        stored: dict[UUID, StoredEvent] = {}
        for key, event in first.items():
            if key not in known:
                ids[event.channel] += 1
                stored[key] = _stored(event, ids[event.channel], key, now)
        await self._insert(session, stored.values())
        await self._prune(session, states, counts)
        return Written(_answers(keys, stored, known), states)

    async def trim(self, session: AsyncSession, most: int) -> int:
        """Deletes events whose time is over, and returns how many."""
        expired = (
            select(_events.c.channel, _events.c.id)
            .where(_events.c.expires_at <= database_now())
            .order_by(_events.c.expires_at)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        rows = (await session.execute(expired)).all()
        for channel, ids in _by_channel(rows).items():
            await session.execute(delete(_events).where(_events.c.channel == channel, _events.c.id.in_(ids)))
        return len(rows)

    async def _advance(
        self, session: AsyncSession, changes: Changes, counts: Counter[str]
    ) -> tuple[dict[str, ChannelState], datetime]:
        names = sorted({*counts, *changes.presence, *changes.access})
        if not names:
            return {}, datetime.min.replace(tzinfo=UTC)
        build = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        statement = build(_channels)
        added = {
            name: _channels.c[name] + statement.excluded[name]
            for name in ("last_id", "presence_version", "access_version")
        }
        returned = (*columns_of(ChannelState, _channels.c), database_now().label("now"))
        rows = await session.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_=added).returning(*returned),
            [
                {
                    "name": name,
                    "last_id": counts[name],
                    "presence_version": int(name in changes.presence),
                    "access_version": int(name in changes.access),
                }
                for name in names
            ],
        )
        found = rows.all()
        return {row.name: ChannelState(*row[:-1]) for row in found}, found[0].now

    async def _known(self, session: AsyncSession, first: Mapping[UUID, NewEvent]) -> dict[UUID, int]:
        """Only now, because whoever might store the same is waiting for us, or we have waited for them."""
        asked = {key: event.channel for key, event in first.items() if event.key is not None}
        if not asked:
            return {}
        rows = await session.execute(
            select(_events.c.key, _events.c.id).where(
                _events.c.channel.in_(set(asked.values())), _events.c.key.in_(list(asked))
            )
        )
        return {row.key: row.id for row in rows}

    async def _take_back(
        self, session: AsyncSession, states: Mapping[str, ChannelState], surplus: Counter[str]
    ) -> dict[str, ChannelState]:
        """The channels are locked, so nobody has seen the ids that were too many."""
        amount = case(surplus, value=_channels.c.name, else_=literal(0))
        await session.execute(
            update(_channels).where(_channels.c.name.in_(list(surplus))).values(last_id=_channels.c.last_id - amount)
        )
        return {
            name: msgspec.structs.replace(state, last_id=state.last_id - surplus[name])
            for name, state in states.items()
        }

    async def _insert(self, session: AsyncSession, stored: Iterable[StoredEvent]) -> None:
        rows: list[dict[str, Any]] = [
            {**msgspec.structs.asdict(each), "expires_at": self._expiry(each)} for each in stored
        ]
        if rows:
            await session.execute(insert(_events), rows)

    def _expiry(self, event: StoredEvent) -> datetime | None:
        kind = event.channel.partition(":")[0]
        return None if kind in self._kept_kinds else event.created_at + self._keep

    async def _prune(self, session: AsyncSession, states: Mapping[str, ChannelState], counts: Counter[str]) -> None:
        """A busy channel must not grow until its events expire."""
        for name, count in sorted(counts.items()):
            last = states[name].last_id
            if (last - count) // _PRUNE_EVERY != last // _PRUNE_EVERY:
                old = (
                    _events.c.channel == name,
                    _events.c.id <= last - REPLAY_LIMIT,
                    _events.c.expires_at <= database_now_plus(self._keep.total_seconds() - self._safe_seconds),
                )
                await session.execute(delete(_events).where(*old))


def _stored(event: NewEvent, event_id: int, key: UUID, now: datetime) -> StoredEvent:
    return StoredEvent(event.channel, event_id, event.event, event.data.decode(), event.sender, key, now)


def _answers(keys: Iterable[UUID], stored: Mapping[UUID, StoredEvent], known: Mapping[UUID, int]) -> list[Appended]:
    answered: set[UUID] = set()
    found: list[Appended] = []
    for key in keys:
        new = stored.get(key)
        event_id = known[key] if new is None else new.id
        found.append(Appended(event_id, None if key in answered else new))
        answered.add(key)
    return found


def _by_channel(rows: Iterable[Any]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row.channel, []).append(row.id)
    return found

"""Publishing: in the transaction, after the commit, in every process; and feeding a new listener from the past."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, insert, select, tuple_, update
from structlog.contextvars import get_contextvars

from app.lib.db.base import new_id, table_of
from app.lib.db.engine import Database
from app.lib.db.instants import database_now
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.uow import UnitOfWork
from app.lib.events.declaration import (
    Event,
    EventEnvelope,
    Hint,
    Listener,
    When,
    require_declared,
)
from app.lib.events.fanout import Fanout
from app.lib.events.hints import Hints
from app.lib.events.positions import next_position
from app.lib.events.tables import StoredEvent
from app.lib.jobs import GiveUp, Job, JobContext, enqueue_many
from app.lib.services import Services

BACKFILL_BATCH = 200

_events = table_of(StoredEvent)


class EventMissing(LookupError):
    """A listener's job refers to an event that is not there."""


class ListenerJob(msgspec.Struct, frozen=True):
    """The payload of a listener's job."""

    event_id: UUID


class EventRow(msgspec.Struct, frozen=True):
    """An event as it is stored."""

    id: UUID
    payload: str
    created_at: datetime


_by_database = {"created_at": database_now(), "position": next_position()}
_columns = {name: bindparam(name, type_=_events.c[name].type) for name in {*_events.c.keys()} - _by_database.keys()}
_insert_event = prepare(insert(_events).values(**_columns, **_by_database))
_add_listener = prepare(
    update(_events)
    .where(_events.c.id == bindparam("event_id"))
    .values(listeners=_events.c.listeners + bindparam("more", type_=_events.c.listeners.type))
)
_event = prepare(select(*columns_of(EventRow, StoredEvent)).where(StoredEvent.id == bindparam("event_id")), EventRow)


class Events:
    """All listeners of the process. ``services`` are the long-lived objects that they ask for by type."""

    def __init__(
        self, listeners: Iterable[Listener] = (), services: Services | None = None, fanout: Fanout | None = None
    ) -> None:
        """Raises ``ValueError`` when two listeners have one name."""
        self.hints = Hints(fanout or Fanout())
        self.jobs: dict[str, Job[ListenerJob]] = {}
        """One for each listener after the commit, by the listener's name."""
        self._services = services if services is not None else Services()
        self._in_transaction: dict[type[Hint], list[Listener]] = defaultdict(list)
        self._after_commit: dict[type[Hint], list[str]] = defaultdict(list)
        self._kinds: dict[str, str] = {}
        self.listen(*listeners)

    def listen(self, *listeners: Listener) -> None:
        """Adds listeners. Raises ``ValueError`` when two have one name."""
        for each in listeners:
            if each.when is When.AFTER_COMMIT and each.name in self.jobs:
                raise ValueError(f"listener {each.name} is declared twice")
            for kind in each.events:
                if each.when is When.IN_TRANSACTION:
                    self._in_transaction[kind].append(each)
                elif each.when is When.IN_EVERY_PROCESS:
                    self.hints.connect(kind, partial(self._call, each))
                else:
                    self.jobs[each.name] = _job_of(each)
                    self._kinds[each.name] = kind.kind
                    self._after_commit[kind].append(each.name)

    async def publish(self, unit: UnitOfWork, event: Hint) -> UUID | None:
        """Says what happened, as a part of the unit's transaction. Returns the id of what was stored.

        What a listener in the transaction raises undoes all of it.
        """
        require_declared(type(event))
        for listener in self._in_transaction.get(type(event), ()):
            await listener.handle(event, unit, *self._found(listener))
        event_id = await self._store(unit, event) if isinstance(event, Event) else None
        if self.hints.has_listeners(type(event)):
            unit.after_commit(partial(self.hints.emit, event))
        return event_id

    async def backfill(
        self, database: Database, listener: str, *, since: datetime | None = None, kind: str | None = None
    ) -> int:
        """Gives a listener jobs for the events of the past that it has had none for. Returns their number.

        In batches with a transaction each, oldest first; it may be broken off and run again. Raises ``LookupError``
        when there is no such listener, or it does not listen to this kind.
        """
        if listener not in self._kinds or kind not in {None, self._kinds[listener]}:
            raise LookupError(listener)
        missing = (
            select(_events.c.position, _events.c.id)
            .where(
                _events.c.kind == self._kinds[listener],
                ~_events.c.listeners.contains(f",{listener},", autoescape=True),
            )
            .order_by(_events.c.position, _events.c.id)
            .limit(BACKFILL_BATCH)
            .with_for_update(skip_locked=True)  # two at once share the work
        )
        if since is not None:
            missing = missing.where(_events.c.created_at >= since)
        count, after = 0, (0, UUID(int=0))
        while True:
            async with database.independent() as unit:
                behind = tuple_(_events.c.position, _events.c.id) > after
                found = [(row.position, row.id) for row in await unit.session.execute(missing.where(behind))]
                ids = [event_id for _, event_id in found]
                await unit.execute_many(_add_listener, [{"event_id": each, "more": f"{listener},"} for each in ids])
                await enqueue_many(unit, [(self.jobs[listener], ListenerJob(each)) for each in ids])
            count += len(ids)
            if len(ids) < BACKFILL_BATCH:
                return count
            after = found[-1]  # else each batch would look through all those before it

    async def start(self) -> None:
        """Starts to listen to other processes; does not wait until it can."""
        await self.hints.start()

    async def close(self) -> None:
        """Ends what :meth:`start` began."""
        await self.hints.close()

    async def _store(self, unit: UnitOfWork, event: Event) -> UUID:
        event_id = new_id()
        listeners = self._after_commit.get(type(event), ())
        row = {
            "id": event_id,
            "kind": event.kind,
            "aggregate_type": event.aggregate_type,
            "aggregate_id": event.aggregate_id,
            "aggregate_version": event.aggregate_version,
            "payload": msgspec.json.encode(event).decode(),
            "listeners": ",".join(["", *listeners, ""]),
            "request_id": get_contextvars().get("request_id"),
        }
        await unit.insert(_insert_event, row)
        if listeners:
            await enqueue_many(unit, [(self.jobs[name], ListenerJob(event_id)) for name in listeners])
        return event_id

    def _call(self, listener: Listener, event: Hint) -> None:
        listener.handle(event, *self._found(listener))

    def _found(self, listener: Listener) -> list[Any]:
        return [self._services.get(kind) for kind in listener.services]


def _job_of(listener: Listener) -> Job[ListenerJob]:
    async def run(payload: ListenerJob, context: JobContext) -> None:
        row = await context.reader.first(_event, event_id=payload.event_id)
        if row is None:  # its retention is over; or it cannot be seen yet where reads come from
            raise EventMissing(str(payload.event_id))
        try:
            event: Any = msgspec.json.decode(row.payload, type=listener.events[0])
        except msgspec.MsgspecError as exc:
            raise GiveUp(f"The event cannot be read any more: {exc}") from exc
        await listener.handle(EventEnvelope(row.id, event, row.created_at), context)

    return Job(f"event:{listener.name}", ListenerJob, run, retry=listener.retry, timeout=listener.timeout)

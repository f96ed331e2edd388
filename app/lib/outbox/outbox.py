"""Recording events, delivering them, and feeding a new listener from the past."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Select, bindparam, insert, select
from structlog.contextvars import get_contextvars

from app.lib.db.base import new_id, table_of
from app.lib.db.engine import Database
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.statements import NewRow, insert_together
from app.lib.db.uow import UnitOfWork
from app.lib.jobs import GiveUp, Job, JobContext, enqueue_many, new_job
from app.lib.outbox.declaration import AnySubscriber, Event, Happened
from app.lib.outbox.tables import EventDelivery, StoredEvent

REPLAY_BATCH = 200

_events = table_of(StoredEvent)
_deliveries = table_of(EventDelivery)


class EventMissing(LookupError):
    """A listener's job refers to an event that is not there."""


class Delivery(msgspec.Struct, frozen=True):
    """The payload of a listener's job."""

    event_id: UUID


class EventRow(msgspec.Struct, frozen=True):
    """An event as it is kept."""

    id: UUID
    kind: str
    aggregate_type: str
    aggregate_id: UUID
    aggregate_version: int
    payload: str
    request_id: str | None
    created_at: datetime


_event = prepare(select(*columns_of(EventRow, StoredEvent)).where(StoredEvent.id == bindparam("event_id")), EventRow)


class Outbox:
    """Who listens to which event. One per app."""

    def __init__(self, subscribers: Iterable[AnySubscriber] = ()) -> None:
        """Raises ``ValueError`` when two listeners have one name."""
        self.jobs: dict[str, Job[Delivery]] = {}
        self.subscribers: dict[str, AnySubscriber] = {}
        self._listeners: dict[str, list[str]] = defaultdict(list)
        for each in subscribers:
            if each.name in self.subscribers:
                raise ValueError(f"listener {each.name} is declared twice")
            self.subscribers[each.name] = each
            self.jobs[each.name] = _job_of(each)
            self._listeners[each.event.kind].append(each.name)

    async def record(self, unit: UnitOfWork, event: Event, *, after: Sequence[NewRow] = ()) -> UUID:
        """Keeps the event, and a job for each of its listeners, in the unit's transaction. Returns the event's id.

        ``after`` are rows of the same moment, which go first, and in the same round trip.
        """
        if not event.kind:
            raise TypeError(f"{type(event).__name__} is no declared event")
        event_id = new_id()
        kept = {
            "id": event_id,
            "kind": event.kind,
            "aggregate_type": event.aggregate_type,
            "aggregate_id": event.aggregate_id,
            "aggregate_version": event.aggregate_version,
            "payload": msgspec.json.encode(event).decode(),
            "request_id": get_contextvars().get("request_id"),
        }
        told: list[NewRow] = []
        for listener in self._listeners.get(event.kind, ()):
            told.append(NewRow(_deliveries, {"event_id": event_id, "listener": listener}))
            told.append(new_job(unit, self.jobs[listener], Delivery(event_id)))
        await insert_together(unit.session, [*after, NewRow(_events, kept, now=("created_at",)), *told])
        return event_id

    async def replay(
        self, database: Database, listener: str, *, since: datetime | None = None, kind: str | None = None
    ) -> int:
        """Gives a listener jobs for the events of the past that it has had none for. Returns how many those were.

        In batches with a transaction each, oldest first; it may be broken off and run again. Raises ``LookupError``
        when there is no such listener, or it does not listen to this kind.
        """
        found = self.subscribers.get(listener)
        if found is None or kind not in {None, found.event.kind}:
            raise LookupError(listener)
        missing = _not_delivered(listener, found.event.kind, since)
        count = 0
        while True:
            async with database.independent() as unit:
                ids = (await unit.session.execute(missing.limit(REPLAY_BATCH))).scalars().all()
                await self._deliver(unit, listener, ids)
            count += len(ids)
            if len(ids) < REPLAY_BATCH:
                return count

    async def _deliver(self, unit: UnitOfWork, listener: str, event_ids: Sequence[UUID]) -> None:
        if event_ids:
            rows = [{"event_id": event_id, "listener": listener} for event_id in event_ids]
            await unit.session.execute(insert(_deliveries), rows)
            await enqueue_many(unit, self.jobs[listener], [Delivery(event_id) for event_id in event_ids])


def _not_delivered(listener: str, kind: str, since: datetime | None) -> Select[tuple[UUID]]:
    delivered = (
        select(_deliveries.c.event_id)
        .where(_deliveries.c.event_id == _events.c.id, _deliveries.c.listener == listener)
        .exists()
    )
    statement = select(_events.c.id).where(_events.c.kind == kind, ~delivered).order_by(_events.c.id)
    # Two replays at once share the work instead of tripping over each other.
    statement = statement.with_for_update(skip_locked=True)
    return statement if since is None else statement.where(_events.c.created_at >= since)


def _job_of(subscriber: AnySubscriber) -> Job[Delivery]:
    async def run(delivery: Delivery, context: JobContext) -> None:
        row = await context.reader.first(_event, event_id=delivery.event_id)
        if row is None:  # its retention is over; or it is not to be seen yet where reads come from
            raise EventMissing(str(delivery.event_id))
        try:
            event: Any = msgspec.json.decode(row.payload, type=subscriber.event)
        except msgspec.MsgspecError as exc:
            raise GiveUp(f"The event cannot be read any more: {exc}") from exc
        await subscriber.handle(Happened(row.id, event, row.created_at), context)

    name = f"event:{subscriber.name}"
    return Job(name, Delivery, run, retry=subscriber.retry, timeout=subscriber.timeout, schedule=None, key=None)

"""One event: in the transaction, stored with its jobs, and in every process."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.audit import SYSTEM, AuditKind, declare, record
from app.lib.audit.tables import AuditInbox
from app.lib.db.base import Base
from app.lib.db.uow import UnitOfWork
from app.lib.events import Event, EventEnvelope, Events, Hint, after_commit, event, in_every_process, in_transaction
from app.lib.events.bus import BACKFILL_BATCH
from app.lib.events.tables import StoredEvent
from app.lib.jobs import ONCE, JobContext, Retry
from app.lib.services import Services
from tests.lib.jobs.bench import Bench, Diary, Note
from tests.support.waiting import until, until_it_holds

declare(AuditKind("test.published", "For these tests."))


@event("post.published")
class PostPublished(Event, frozen=True, kw_only=True):
    title: str


@event("post.removed")
class PostRemoved(Event, frozen=True, kw_only=True):
    pass


@event("cache.stale")
class CacheStale(Hint, frozen=True, kw_only=True):
    key: str


class Notebook:
    """A long-lived object that listeners ask for."""

    def __init__(self) -> None:
        self.heard: list[str] = []


@in_transaction(PostPublished)
async def audit(event: PostPublished, unit: UnitOfWork, notebook: Notebook) -> None:
    await record(unit, "test.published", SYSTEM)
    notebook.heard.append(event.title)


@in_transaction(PostPublished)
async def refuse_boats(event: PostPublished, _unit: UnitOfWork) -> None:
    if event.title == "boat":
        raise ZeroDivisionError


@after_commit("test.reader", PostPublished)
async def read(envelope: EventEnvelope[PostPublished], context: JobContext) -> None:
    context.service(Diary).write(Note(envelope.event.title), context)


@after_commit("test.archive", PostPublished)
async def archive(envelope: EventEnvelope[PostPublished], context: JobContext) -> None:
    context.service(Diary).write(Note(f"archived {envelope.event.title}"), context)


@after_commit("test.failing", PostPublished, retry=Retry(attempts=2, first_delay=0))
async def fail(_envelope: EventEnvelope[PostPublished], _context: JobContext) -> None:
    raise ValueError("no")


@in_every_process(PostPublished, CacheStale)
def forget(event: Hint, notebook: Notebook) -> None:
    notebook.heard.append(f"{event.kind}!")


@in_every_process(CacheStale)
def break_down(_event: CacheStale) -> None:
    raise ZeroDivisionError


def published(title: str, *, post: UUID | None = None, version: int = 1) -> PostPublished:
    return PostPublished(aggregate_id=post or uuid4(), aggregate_version=version, title=title)


async def count(bench: Bench, model: type[Base]) -> int:
    async with AsyncSession(bench.database.engine, expire_on_commit=False) as session:
        found: int = (await session.execute(select(func.count()).select_from(model))).scalar_one()
        return found


async def publish(bench: Bench, events: Events, *several: Hint) -> list[UUID | None]:
    async with bench.database.independent() as unit:
        return [await events.publish(unit, each) for each in several]


async def test_listeners_in_the_transaction_commit_or_fail_with_it(bench: Bench) -> None:
    notebook = Notebook()
    events = Events([audit, refuse_boats], Services(notebook))
    before = await count(bench, AuditInbox)

    await publish(bench, events, published("hat"), PostRemoved(aggregate_id=uuid4(), aggregate_version=2))
    with pytest.raises(ZeroDivisionError):
        await publish(bench, events, published("boat"))

    assert await count(bench, AuditInbox) == before + 1
    assert await count(bench, StoredEvent) == 2
    assert notebook.heard == ["hat", "boat"]


async def test_each_listener_after_the_commit_has_a_job_with_the_request_id(bench: Bench) -> None:
    events = Events([read, archive])
    with structlog.contextvars.bound_contextvars(request_id="request-0001"):
        await publish(bench, events, published("one"), PostRemoved(aggregate_id=uuid4(), aggregate_version=2))
    async with bench.worker(*events.jobs.values()):
        await bench.until_all("succeeded")

    assert sorted(bench.diary.texts) == ["archived one", "one"]
    assert bench.diary.contexts[0].request_id == "request-0001"


async def test_an_event_is_stored_as_it_was(bench: Bench) -> None:
    post = uuid4()
    with structlog.contextvars.bound_contextvars(request_id="request-0001"):
        (event_id,) = await publish(bench, Events(), published("one", post=post, version=7))

    async with AsyncSession(bench.database.engine, expire_on_commit=False) as session:
        row = await session.get_one(StoredEvent, event_id)
    assert (row.kind, row.aggregate_type, row.aggregate_id, row.aggregate_version) == (
        "post.published",
        "post",
        post,
        7,
    )
    assert (row.request_id, '"title":"one"' in row.payload) == ("request-0001", True)


async def test_a_rollback_leaves_no_event_no_job_and_no_hint(bench: Bench) -> None:
    notebook = Notebook()
    events = Events([read, forget], Services(notebook))

    async def refused() -> None:
        async with bench.database.independent() as unit:
            await events.publish(unit, published("one"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await refused()

    assert (await count(bench, StoredEvent), await bench.rows()) == (0, [])
    assert notebook.heard == []


async def test_hints_reach_this_process_after_the_commit_and_are_not_stored(bench: Bench) -> None:
    notebook = Notebook()
    events = Events([break_down, forget], Services(notebook))  # a listener that fails harms neither the others

    async with bench.database.independent() as unit:
        await events.publish(unit, CacheStale(key="a"))
        await events.publish(unit, published("one"))
        heard_before = list(notebook.heard)

    assert heard_before == []
    assert notebook.heard == ["cache.stale!", "post.published!"]
    assert await count(bench, StoredEvent) == 1


async def test_a_failing_listener_delays_no_other_and_is_kept(bench: Bench) -> None:
    events = Events([fail, read])
    async with bench.worker(*events.jobs.values()):
        await publish(bench, events, published("one"), published("two"))
        await until(lambda: len(bench.outcomes) == 6)

        async def all_are_over() -> bool:
            return {row.status for row in await bench.rows()} == {"succeeded", "failed"}

        await until_it_holds(all_are_over)

    assert sorted(bench.diary.texts) == ["one", "two"]
    assert [row.name for row in await bench.rows(status="failed")] == ["event:test.failing"] * 2


async def test_a_replay_gives_a_new_listener_the_past_once(bench: Bench) -> None:
    old, new = Events([read]), Events([read, archive])
    titles = [str(i) for i in range(BACKFILL_BATCH + 5)]
    await publish(bench, old, *map(published, titles))

    assert await new.backfill(bench.database, "test.archive") == len(titles)
    assert await new.backfill(bench.database, "test.archive") == 0
    assert await new.backfill(bench.database, "test.reader") == 0
    async with bench.worker(*new.jobs.values()):
        await bench.until_all("succeeded")

    assert sorted(bench.diary.texts) == sorted([*titles, *(f"archived {title}" for title in titles)])


async def test_a_replay_can_begin_later(bench: Bench) -> None:
    early, late = await publish(bench, Events(), published("early"), published("late"))
    events = Events([read])
    async with bench.database.engine.begin() as connection:
        then = (await connection.execute(select(StoredEvent.created_at).where(StoredEvent.id == late))).scalar_one()
        moved = update(StoredEvent).where(StoredEvent.id == early).values(created_at=then - timedelta(days=2))
        await connection.execute(moved)

    assert await events.backfill(bench.database, "test.reader", since=then - timedelta(days=1)) == 1
    assert await events.backfill(bench.database, "test.reader", kind="post.published") == 1


@pytest.mark.parametrize(("listener", "kind"), [("test.unknown", None), ("test.reader", "post.removed")])
async def test_a_replay_without_such_a_listener_is_refused(bench: Bench, listener: str, kind: str | None) -> None:
    with pytest.raises(LookupError):
        await Events([read]).backfill(bench.database, listener, kind=kind)


async def test_an_event_that_cannot_be_read_any_more_is_dead_at_once(bench: Bench) -> None:
    events = Events([read])
    (event_id,) = await publish(bench, events, published("one"))
    async with bench.database.engine.begin() as connection:
        await connection.execute(update(StoredEvent).where(StoredEvent.id == event_id).values(payload="{}"))

    async with bench.worker(*events.jobs.values()):
        (row,) = await bench.until_all("failed")

    assert (row.error_kind, row.attempts) == ("GiveUp", 1)


async def test_names_are_unique_and_events_declared(bench: Bench) -> None:
    class Undeclared(PostRemoved, frozen=True):
        pass

    async def handle(_envelope: EventEnvelope[Any], _context: JobContext) -> None: ...

    with pytest.raises(ValueError, match="declared twice"):
        Events([read, read])
    with pytest.raises(TypeError, match="no declared event"):
        after_commit("test.any", Undeclared, retry=ONCE)(handle)
    with pytest.raises(ValueError, match=r"post\.published"):
        event("nonsense")
    with pytest.raises(TypeError, match="no declared event"):
        await publish(bench, Events(), Undeclared(aggregate_id=uuid4(), aggregate_version=1))

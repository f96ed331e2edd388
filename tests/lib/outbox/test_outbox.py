from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from sqlalchemy import func, select, update

from app.lib.db.base import Base
from app.lib.jobs import ONCE, JobContext, Retry
from app.lib.outbox import Event, Happened, Outbox, event, is_news, subscriber
from app.lib.outbox.outbox import REPLAY_BATCH
from app.lib.outbox.tables import EventDelivery, StoredEvent
from tests.lib.jobs.bench import Bench, Diary, Note
from tests.support.waiting import until, until_it_holds


@event("post.published")
class PostPublished(Event, frozen=True, kw_only=True):
    title: str


@event("post.removed")
class PostRemoved(Event, frozen=True, kw_only=True):
    pass


@subscriber("test.reader", PostPublished)
async def read(happened: Happened[PostPublished], context: JobContext) -> None:
    context.service(Diary).write(Note(happened.event.title), context)


@subscriber("test.archive", PostPublished)
async def archive(happened: Happened[PostPublished], context: JobContext) -> None:
    context.service(Diary).write(Note(f"archived {happened.event.title}"), context)


@subscriber("test.grump", PostPublished, retry=Retry(attempts=2, first_delay=0))
async def grump(_happened: Happened[PostPublished], _context: JobContext) -> None:
    raise ValueError("no")


def published(title: str, *, post: UUID | None = None, version: int = 1) -> PostPublished:
    return PostPublished(aggregate_id=post or uuid4(), aggregate_version=version, title=title)


async def count(bench: Bench, model: type[Base]) -> int:
    async with bench.database.sessions() as session:
        found: int = (await session.execute(select(func.count()).select_from(model))).scalar_one()
        return found


async def record(bench: Bench, outbox: Outbox, *events: Event) -> list[UUID]:
    async with bench.database.independent() as unit:
        return [await outbox.record(unit, each) for each in events]


async def test_every_listener_is_told_after_the_commit(bench: Bench) -> None:
    outbox = Outbox([read, archive])
    async with bench.worker(*outbox.jobs.values()):
        await record(bench, outbox, published("one"))
        await bench.until_all("done")

    assert sorted(bench.diary.texts) == ["archived one", "one"]


async def test_an_event_is_kept_as_it_was(bench: Bench) -> None:
    post = uuid4()
    with structlog.contextvars.bound_contextvars(request_id="request-0001"):
        (event_id,) = await record(bench, Outbox(), published("one", post=post, version=7))

    async with bench.database.sessions() as session:
        row = await session.get_one(StoredEvent, event_id)
    assert event_id.version == 7
    assert (row.kind, row.aggregate_type, row.aggregate_id, row.aggregate_version) == (
        "post.published",
        "post",
        post,
        7,
    )
    assert (row.request_id, '"title":"one"' in row.payload) == ("request-0001", True)


async def test_nothing_is_told_after_a_rollback(bench: Bench) -> None:
    outbox = Outbox([read])

    async def fail() -> None:
        async with bench.database.independent() as unit:
            await outbox.record(unit, published("one"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()

    assert (await count(bench, StoredEvent), await count(bench, EventDelivery), await bench.rows()) == (0, 0, [])


async def test_a_failing_listener_holds_nobody_up_and_is_kept(bench: Bench) -> None:
    outbox = Outbox([grump, read])
    async with bench.worker(*outbox.jobs.values()):
        await record(bench, outbox, published("one"), published("two"))
        await until(lambda: len(bench.outcomes) == 6)

        async def all_are_over() -> bool:
            return {row.status for row in await bench.rows()} == {"done", "dead"}

        await until_it_holds(all_are_over)

    assert sorted(bench.diary.texts) == ["one", "two"]
    assert [row.name for row in await bench.rows(status="dead")] == ["event:test.grump"] * 2


async def test_listeners_hear_only_what_they_listen_to(bench: Bench) -> None:
    outbox = Outbox([read])

    await record(bench, outbox, PostRemoved(aggregate_id=uuid4(), aggregate_version=2))

    assert (await count(bench, StoredEvent), await bench.rows()) == (1, [])


async def test_the_request_id_reaches_the_listener(bench: Bench) -> None:
    outbox = Outbox([read])
    with structlog.contextvars.bound_contextvars(request_id="request-0001"):
        await record(bench, outbox, published("one"))
    async with bench.worker(*outbox.jobs.values()):
        await bench.until_all("done")

    assert bench.diary.contexts[0].request_id == "request-0001"


async def test_a_replay_tells_a_new_listener_of_the_past_once(bench: Bench) -> None:
    old, new = Outbox([read]), Outbox([read, archive])
    titles = [str(i) for i in range(REPLAY_BATCH + 5)]
    await record(bench, old, *map(published, titles))

    assert await new.replay(bench.database, "test.archive") == len(titles)
    assert await new.replay(bench.database, "test.archive") == 0
    assert await new.replay(bench.database, "test.reader") == 0
    async with bench.worker(*new.jobs.values()):
        await bench.until_all("done")

    assert sorted(bench.diary.texts) == sorted([*titles, *(f"archived {title}" for title in titles)])


async def test_a_replay_can_begin_later(bench: Bench) -> None:
    early, late = await record(bench, Outbox(), published("early"), published("late"))
    outbox = Outbox([read])
    async with bench.database.engine.begin() as connection:
        then = (await connection.execute(select(StoredEvent.created_at).where(StoredEvent.id == late))).scalar_one()
        moved = update(StoredEvent).where(StoredEvent.id == early).values(created_at=then - timedelta(days=2))
        await connection.execute(moved)

    assert await outbox.replay(bench.database, "test.reader", since=then - timedelta(days=1)) == 1
    assert await outbox.replay(bench.database, "test.reader", kind="post.published") == 1


@pytest.mark.parametrize(("listener", "kind"), [("test.nobody", None), ("test.reader", "post.removed")])
async def test_a_replay_for_nobody_is_refused(bench: Bench, listener: str, kind: str | None) -> None:
    with pytest.raises(LookupError):
        await Outbox([read]).replay(bench.database, listener, kind=kind)


async def test_what_is_older_than_what_was_seen_is_no_news(bench: Bench) -> None:
    post = uuid4()

    async def news(version: int, listener: str = "test.reader", of: UUID = post) -> bool:
        happened = Happened(uuid4(), published("x", post=of, version=version), None)  # type: ignore[arg-type]  # no matter
        async with bench.database.independent() as unit:
            return await is_news(unit, listener, happened)

    assert [await news(version) for version in (2, 1, 2, 5, 4, 6)] == [True, False, False, True, False, True]
    assert await news(1, listener="test.archive")
    assert await news(1, of=uuid4())


async def test_an_event_that_cannot_be_read_any_more_is_dead_at_once(bench: Bench) -> None:
    outbox = Outbox([read])
    (event_id,) = await record(bench, outbox, published("one"))
    async with bench.database.engine.begin() as connection:
        await connection.execute(update(StoredEvent).where(StoredEvent.id == event_id).values(payload="{}"))

    async with bench.worker(*outbox.jobs.values()):
        (row,) = await bench.until_all("dead")

    assert (row.error_kind, row.attempts) == ("GiveUp", 1)


def test_names_are_unique_and_events_declared() -> None:
    class Undeclared(Event, frozen=True):
        pass

    async def handle(_happened: Happened[Any], _context: JobContext) -> None: ...

    with pytest.raises(ValueError, match="declared twice"):
        Outbox([read, read])
    with pytest.raises(TypeError, match="no declared event"):
        subscriber("test.any", Undeclared, retry=ONCE)(handle)
    with pytest.raises(ValueError, match=r"post\.published"):
        event("nonsense")

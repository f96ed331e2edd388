"""What the service removes by itself, and the worker inside the server that does it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.asgi import DOMAINS
from app.domain.auth.models import Session
from app.lib.clock import utc_now
from app.lib.db.base import new_id, table_of
from app.lib.db.engine import Database
from app.lib.db.idempotency import IdempotencyKey
from app.lib.db.statements import BATCH
from app.lib.db.url import DatabaseURL
from app.lib.events.tables import StoredEvent
from app.lib.jobs import Job, NoPayload, enqueue
from app.lib.jobs.tables import QueuedJob
from app.lib.mail.jobs import JOBS as MAIL_JOBS
from tests.domain.jobs.toys import put
from tests.lib.jobs.bench import Bench
from tests.support.apps import core_of, running_app
from tests.support.databases import empty
from tests.support.listed import agree
from tests.support.people import People

DECLARED: tuple[Job[Any], ...] = (*MAIL_JOBS, *(each for domain in DOMAINS for each in domain.jobs))
SCHEDULED = {each.name: each for each in DECLARED if each.schedule is not None}

TESTED = {
    *("jobs.purge", "events.purge", "sessions.purge", "idempotency_keys.purge", "mail.purge", "mail.sweep"),
    *("webhooks.purge", "keys.reseal", "webhooks.sweep", "posts.announce"),
    *("orders.expire", "realtime.trim", "audit.purge", "users.sweep", "identities.purge"),
}


async def ids(database: Database, column: object) -> set[object]:
    async with AsyncSession(database.engine, expire_on_commit=False) as session:
        return set((await session.execute(select(column))).scalars())  # type: ignore[call-overload]  # any column


@pytest.mark.parametrize("state", ["succeeded", "cancelled", "failed"])
async def test_jobs_are_removed_when_their_time_is_over(database_url: DatabaseURL, state: str) -> None:
    days = 90 if state == "failed" else 7
    async with running_app(database_url, JOBS_WORKER="inside") as app:
        database = core_of(app).database
        await empty(database)
        old = await put(app, status=state, finished_at=utc_now() - timedelta(days=days, minutes=1))
        young = await put(app, status=state, finished_at=utc_now() - timedelta(days=days, minutes=-1))
        await run(database, "jobs.purge")

        left = await ids(database, QueuedJob.id)
        assert old not in left
        assert young in left


async def test_old_events_are_removed(database_url: DatabaseURL) -> None:
    async with running_app(database_url, JOBS_WORKER="inside", EVENTS_RETENTION_DAYS="5") as app:
        database = core_of(app).database
        await empty(database)
        old, young = new_id(), new_id()
        async with database.engine.begin() as connection:
            for event_id, days in ((old, 6), (young, 4)):
                await connection.execute(
                    insert(StoredEvent).values(
                        id=event_id,
                        position=days,
                        kind="a.b",
                        aggregate_type="a",
                        aggregate_id=uuid4(),
                        aggregate_version=1,
                        payload="{}",
                        listeners=",x,",
                        created_at=utc_now() - timedelta(days=days),
                    )
                )
        await run(database, "events.purge")

        assert await ids(database, StoredEvent.id) == {young}


async def test_keys_and_sessions_that_are_over_are_removed(database_url: DatabaseURL) -> None:
    async with running_app(database_url, JOBS_WORKER="inside") as app:
        database = core_of(app).database
        await empty(database)
        person = await People(app).create()
        gone = await People(app).sign_in(person.id, person.email)
        async with database.engine.begin() as connection:
            over = utc_now() - timedelta(days=2)
            await connection.execute(update(Session).where(Session.id == gone.session_id).values(expires_at=over))
            key = {"digest": b"d", "fingerprint": b"f", "created_at": over}
            await connection.execute(insert(IdempotencyKey).values(**key))
        await run(database, "sessions.purge")
        await run(database, "idempotency_keys.purge")

        assert await ids(database, Session.id) == {person.session_id}
        assert await ids(database, IdempotencyKey.digest) == set()


async def test_more_than_a_batch_is_removed_in_one_run(database_url: DatabaseURL) -> None:
    async with running_app(database_url, JOBS_WORKER="inside") as app:
        database = core_of(app).database
        await empty(database)
        person = await People(app).create()
        over = utc_now() - timedelta(days=2)
        keys = [
            {"digest": number.to_bytes(4, "big"), "fingerprint": b"f", "created_at": over}
            for number in range(2 * BATCH + 1)
        ]
        async with database.engine.begin() as connection:
            session = (await connection.execute(select(table_of(Session)))).mappings().one()
            old = [{**session, "id": new_id(), "expires_at": over} for _ in range(2 * BATCH + 1)]
            await connection.execute(insert(table_of(Session)), old)
            await connection.execute(insert(IdempotencyKey), keys)
        await run(database, "sessions.purge")
        await run(database, "idempotency_keys.purge")

        assert await ids(database, Session.id) == {person.session_id}
        assert await ids(database, IdempotencyKey.digest) == set()


def test_every_clean_up_has_a_schedule() -> None:
    """A job on a schedule has a test of what it does, and is listed then."""
    agree(SCHEDULED, TESTED, "TESTED")


async def run(database: Database, name: str) -> None:
    """Has the app's own worker do it."""
    declared: Job[NoPayload] = SCHEDULED[name]
    async with database.independent() as unit:
        job_id = await enqueue(unit, declared, NoPayload())
    await Bench(database).until(job_id, "succeeded")

"""A disk that is full, a file that cannot be written, a file that is gone."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import MIGRATIONS
from app.domain.accounts.models import Profile, User
from app.domain.auth.models import Session
from app.lib.audit.tables import AuditInbox
from app.lib.db.engine import Database
from app.lib.db.migrations import Migrations
from app.lib.db.sqlite import identity_of
from app.lib.db.url import DatabaseURL
from tests.faults.answers import assert_unavailable
from tests.faults.conftest import Service, service_on
from tests.support.apps import client_of, core_of, running_app
from tests.support.databases import migrate, sqlite_database
from tests.support.people import People


@pytest.fixture
def file() -> Iterator[DatabaseURL]:
    """A migrated SQLite file."""
    with sqlite_database() as url:
        migrate(url)
        yield url


async def counts(database: Database) -> dict[str, int]:
    async with AsyncSession(database.engine, expire_on_commit=False) as session:
        tables: list[Any] = [User, Profile, Session, AuditInbox]
        return {
            table.__tablename__: (await session.execute(select(func.count()).select_from(table))).scalar_one()
            for table in tables
        }


async def pragma(service: Service, words: str) -> Any:
    """Sets or asks something of the one connection that writes."""
    async with service.core.database.engine.connect() as connection:
        return (await connection.execute(text(f"PRAGMA {words}"))).scalar_one()


async def test_on_a_full_disk_nothing_is_half_written(file: DatabaseURL) -> None:
    async with service_on(file) as service:
        pages = await pragma(service, "page_count")
        await pragma(service, f"max_page_count={pages}")
        refused = 0
        for number in range(60):
            answer = await service.register(number)
            if answer.status_code == 503:
                assert_unavailable(answer)
                refused += 1
            else:
                assert answer.status_code == 201
            found = await counts(service.core.database)
            assert found["users"] == found["profiles"]
            if refused >= 3:
                break
        assert refused == 3
        assert (await service.read()).status_code == 200
        assert await service.is_alive()

        await pragma(service, "max_page_count=1000000")
        assert (await service.register(99)).status_code == 201
        assert await pragma(service, "integrity_check") == "ok"


async def test_a_file_that_cannot_be_written_still_serves_reads(file: DatabaseURL) -> None:
    async with service_on(file) as service:
        before = await counts(service.core.database)
        event.listen(service.core.database.engine.sync_engine, "connect", refuse_writes)
        await service.core.database.engine.dispose()

        for answer in (await service.write(), await service.register(), await service.refresh()):
            assert_unavailable(answer)
        assert (await service.read()).status_code == 200

        event.remove(service.core.database.engine.sync_engine, "connect", refuse_writes)
        await service.core.database.engine.dispose()
        assert await counts(service.core.database) == before
        assert (await service.write()).status_code == 200


def refuse_writes(connection: Any, _record: object) -> None:
    """What a file system that became read-only does; the super-user of a test may write to every file."""
    connection.execute("PRAGMA query_only=ON")


def remove(file: DatabaseURL) -> None:
    for path in file.directory.iterdir():
        path.unlink()


async def test_a_file_that_was_never_there_is_unavailable_and_not_made(file: DatabaseURL) -> None:
    async with service_on(file) as before:
        person = before.person
    remove(file)
    async with running_app(file) as app, client_of(app, headers=person.headers) as client:
        service = Service(app, People(app), person, client)
        assert_unavailable(await service.read())
        assert_unavailable(await service.sign_in())
        assert_unavailable(await service.register())
        assert await service.readiness() == (503, ["database"])
        assert await service.is_alive()
    assert identity_of(file.path) is None


async def test_a_file_that_is_removed_takes_no_more_writes(file: DatabaseURL) -> None:
    """Its connections would go on writing into a file without a name, and acknowledge what is lost."""
    async with service_on(file) as service:
        await asyncio.gather(*(service.read() for _ in range(8)), service.write())
        remove(file)

        answers = await asyncio.gather(*(service.read() for _ in range(8)), service.write(), service.register())
        for answer in answers:
            assert_unavailable(answer)
        assert await service.readiness() == (503, ["database"])

        await Migrations(file, MIGRATIONS).upgrade()
        assert (await service.register()).status_code == 201
        assert await service.readiness() == (200, [])


def back_up(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


async def test_a_file_that_is_replaced_is_opened_again(file: DatabaseURL) -> None:
    async with service_on(file) as service:
        before = await counts(service.core.database)
        copy = file.path.with_name("copy.db")
        back_up(file.path, copy)
        assert (await service.register()).status_code == 201
        for name in ("test.db", "test.db-wal", "test.db-shm"):
            file.path.with_name(name).unlink()
        copy.rename(file.path)

        assert await counts(service.core.database) == before
        answers = await asyncio.gather(*(service.read() for _ in range(8)))
        assert [answer.status_code for answer in answers] == [200] * 8
        assert (await service.register()).status_code == 201


async def test_a_file_that_is_no_database_is_unavailable(file: DatabaseURL) -> None:
    async with service_on(file) as before:
        person = before.person
    file.path.write_bytes(b"this is no database, but it is long enough to be looked at " * 100)
    async with running_app(file) as app, client_of(app, headers=person.headers) as client:
        service = Service(app, People(app), person, client)
        assert_unavailable(await service.read())
        assert_unavailable(await service.register())
        assert await service.readiness() == (503, ["database"])


async def test_writers_that_wait_too_long_get_503_and_leak_nothing(file: DatabaseURL) -> None:
    async with service_on(file) as service:
        pool: Any = service.core.database.engine.pool
        pool._timeout = 0.2  # half a minute is long for a test
        async with service.core.database.independent() as holder:
            await holder.session.execute(text("SELECT 1"))
            answers = await asyncio.gather(*(service.write() for _ in range(5)))
            reads = await asyncio.gather(*(service.read() for _ in range(5)))
        for answer in answers:
            assert_unavailable(answer)
        assert [answer.status_code for answer in reads] == [200] * 5

        pool._timeout = 30
        assert (await service.write()).status_code == 200
        assert pool.checkedout() == 0


async def test_another_process_that_holds_the_lock_is_waited_for(file: DatabaseURL) -> None:
    async with service_on(file) as service, running_app(file) as other:
        async with core_of(other).database.independent() as holder:
            await holder.session.execute(text("SELECT 1"))
            task = asyncio.create_task(service.write("Patience"))
            await asyncio.sleep(0.3)
            assert not task.done()
        assert (await task).status_code == 200

import asyncio
import gc
import os
import sqlite3
import threading
import warnings
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Select, bindparam, column, func, insert, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db import sqlite
from app.lib.db.base import new_id
from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.faults import DatabaseUnavailable, to_app_error
from app.lib.db.prepared import Prepared, prepare
from app.lib.db.reader import PostgreSQLDriver, SQLiteDriver
from app.lib.db.url import DatabaseURL
from app.lib.errors import Unavailable
from tests.lib.db.conftest import OpenDatabase
from tests.lib.db.toys import ON_POSTGRESQL, ON_SQLITE, Toy
from tests.support.proxy import Proxy
from tests.support.waiting import PATIENCE, until

_one = prepare(select(literal(1)), int)
_count = prepare(select(func.count()).select_from(Toy), int)
_pid = prepare(select(func.pg_backend_pid()), int)


def sleeping(seconds: float) -> Prepared[object]:
    return prepare(select(func.pg_sleep(seconds)), object)


def endless() -> Prepared[int]:
    """A statement that does not end by itself."""
    numbers = select(literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1))
    return prepare(select(func.count()).select_from(numbers), int)


def slow(database: Database) -> Prepared[object]:
    return prepare(endless().statement, object) if database.url.is_sqlite else sleeping(60)


async def until_idle(database: Database) -> None:
    """Returns once no connection is in use any more."""
    await until(lambda: database.usage()["read"].in_use == 0)


async def one(database: Database) -> int | None:
    return await database.reader.first(_one)


async def server_process(database: Database) -> int | None:
    return await database.reader.first(_pid)


@ON_POSTGRESQL
async def test_a_warm_read_is_one_statement_without_a_transaction(toys: Database, another: OpenDatabase) -> None:
    async with Proxy(toys.url.url) as proxy:
        database = await another(proxy.url, pool_size=1)
        await database.reader.all(_count)
        proxy.heard.clear()

        await database.reader.all(_count)
        await database.reader.all(_count)

        assert proxy.heard == ["B", "E", "S"] * 2  # Bind, Execute, Sync: no BEGIN, no reset
        await database.close()


@ON_POSTGRESQL
async def test_behind_a_pooler_a_read_is_one_transaction_of_unnamed_statements(
    toys: Database, another: OpenDatabase
) -> None:
    async with Proxy(toys.url.url) as proxy:
        database = await another(proxy.url, pool_size=1, pooler=True)
        await database.reader.all(_count)
        proxy.heard.clear()

        await database.reader.all(_count)

        assert (proxy.heard[0], proxy.heard[-1], proxy.heard.count("Q")) == ("Q", "Q", 2)
        assert "P" in proxy.heard
        names = prepare(select(func.count()).select_from(text("pg_prepared_statements")), int)
        assert await database.reader.first(names) == 0
        await database.close()


async def test_a_read_sees_what_was_committed_and_nothing_else(toys: Database) -> None:
    async with AsyncSession(toys.engine, expire_on_commit=False) as session:
        await session.execute(insert(Toy).values(id=new_id(), name="x"))
        unseen = await toys.reader.first(_count)
        await session.commit()

    assert (unseen, await toys.reader.first(_count)) == (0, 1)


async def test_reads_run_at_the_same_time_and_are_counted(toys: Database) -> None:
    tasks = [asyncio.create_task(toys.reader.all(slow(toys))) for _ in range(3)]
    await until(lambda: toys.usage()["read"].in_use == 3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await until_idle(toys)


async def test_many_parallel_reads_share_few_connections(toys: Database) -> None:
    found = await asyncio.gather(*(one(toys) for _ in range(200)))

    assert found == [1] * 200
    assert toys.usage()["read"].in_use == 0


async def test_a_statement_that_takes_too_long_is_unavailable(toys: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "STATEMENT_SECONDS", 0.5)  # PostgreSQL only sleeps
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - each driver has its own
            await toys.reader.all(slow(toys))

    assert type(to_app_error(caught.value)) is Unavailable
    assert await toys.reader.first(_one) == 1
    await until_idle(toys)


async def test_a_full_pool_is_unavailable_and_leaks_nothing(toys: Database) -> None:
    driver = one_connection(toys.url)
    await driver.start()
    sql = slow(toys).compiled(driver.dialect).sql
    arguments = slow(toys).compiled(driver.dialect).arguments({})
    first = asyncio.create_task(driver.fetch(sql, arguments))
    await asyncio.sleep(0.1)

    with pytest.raises(DatabaseUnavailable, match="busy"):
        await driver.fetch("SELECT 1", [])

    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await until(lambda: driver.usage().in_use == 0)
    assert [tuple(row) for row in await driver.fetch("SELECT 1", [])] == [(1,)]
    await driver.close()


def one_connection(url: DatabaseURL) -> PostgreSQLDriver | SQLiteDriver:
    if url.is_sqlite:
        return SQLiteDriver(url.path, 1, acquire_timeout=0.05)
    return PostgreSQLDriver(url.connect_arguments, 1, acquire_timeout=0.05)


async def test_cancelled_reads_give_their_connections_back(toys: Database) -> None:
    for delay in (0, 0, 0, 0.001, 0.002, 0.005, 0.01):
        tasks = [asyncio.create_task(one(toys)) for _ in range(20)]
        await asyncio.sleep(delay)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    await until_idle(toys)
    assert await asyncio.gather(*(one(toys) for _ in range(20))) == [1] * 20


async def test_before_the_start_and_after_the_close_there_is_no_database(toys: Database) -> None:
    database = Database(DatabaseOptions(url=toys.url))
    with pytest.raises(DatabaseUnavailable):
        await database.reader.first(_one)
    await database.start()
    assert await database.reader.first(_one) == 1
    await database.close()
    with pytest.raises(DatabaseUnavailable):
        await database.reader.first(_one)
    await database.close()


@ON_POSTGRESQL
async def test_lost_connections_are_replaced(toys: Database, another: OpenDatabase) -> None:
    database = await another(pool_size=4)
    before = set(await asyncio.gather(*(server_process(database) for _ in range(20))))

    await terminate_others(toys, before)

    after = await asyncio.gather(*(server_process(database) for _ in range(20)), return_exceptions=True)
    assert {type(to_app_error(e)) for e in after if isinstance(e, Exception)} <= {Unavailable, DatabaseUnavailable}
    again = await asyncio.gather(*(server_process(database) for _ in range(20)))
    assert not before & set(again)
    assert database.usage()["read"].in_use == 0


async def terminate_others(database: Database, pids: set[int | None]) -> None:
    async with database.engine.begin() as connection:
        for pid in pids:
            await connection.execute(select(func.pg_terminate_backend(pid)))
    await asyncio.sleep(0.05)


@ON_POSTGRESQL
async def test_a_changed_schema_is_noticed(toys: Database, another: OpenDatabase) -> None:
    database = await another(pool_size=1)
    everything = prepare(select(column("a")).select_from(text("changing")), object)
    async with toys.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE changing (a integer)"))
    await database.reader.all(everything)

    async with toys.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE changing ALTER a TYPE text"))

    assert await database.reader.all(everything) == []
    async with toys.engine.begin() as connection:
        await connection.execute(text("DROP TABLE changing"))


@ON_SQLITE
async def test_sqlite_readers_refuse_to_write(toys: Database) -> None:
    driver = SQLiteDriver(toys.url.path, 1, acquire_timeout=5)
    await driver.start()

    for statement in ("DELETE FROM toys", "CREATE TABLE more (a)", "INSERT INTO boxes VALUES (1, 2, 3, 4, 5)"):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await driver.fetch(statement, [])

    await driver.close()


@ON_SQLITE
async def test_sqlite_readers_do_not_wait_for_the_writer(toys: Database) -> None:
    async with AsyncSession(toys.engine, expire_on_commit=False) as session:
        await session.execute(insert(Toy).values(id=new_id(), name="x"))

        read = await toys.reader.first(_one)

    assert read == 1


async def test_a_missing_sqlite_file_is_not_made(tmp_path: Path) -> None:
    driver = SQLiteDriver(tmp_path / "missing.db", 1, acquire_timeout=5)
    await driver.start()

    with pytest.raises(sqlite3.OperationalError) as caught:
        await driver.fetch("SELECT 1", [])

    assert isinstance(to_app_error(caught.value), Unavailable)
    await driver.close()
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - pathlib would be blocking just as much


@ON_SQLITE
async def test_closing_waits_for_reads_and_leaves_nothing_open(toys: Database) -> None:
    before = reading_threads()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        database = Database(DatabaseOptions(url=toys.url))
        await database.start()
        reads = [asyncio.create_task(one(database)) for _ in range(12)]
        await asyncio.sleep(0)
        await database.close()
        await asyncio.gather(*reads, return_exceptions=True)
        del database, reads
        gc.collect()

    assert [str(warning.message) for warning in caught if warning.category is ResourceWarning] == []
    assert reading_threads() <= before


@ON_SQLITE
async def test_a_read_that_waited_while_the_database_was_closed_is_refused(toys: Database) -> None:
    driver = one_connection(toys.url)
    await driver.start()
    first = asyncio.create_task(driver.fetch("SELECT 1", []))
    await asyncio.sleep(0)  # the first read has the connection
    second = asyncio.create_task(driver.fetch("SELECT 2", []))
    closing = asyncio.create_task(driver.close())

    with pytest.raises(DatabaseUnavailable, match="not connected"):
        await second
    await closing
    assert await first == [(1,)]
    assert driver.usage().in_use == 0


def reading_threads() -> set[int | None]:
    return {thread.ident for thread in threading.enumerate() if thread.name.startswith("sqlite-reader")}


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**30, "\udc80"])
async def test_values_that_no_database_can_take_are_the_clients_mistake(toys: Database, value: int | str) -> None:
    by_value: Select[tuple[UUID]] = select(Toy.id).where(
        (Toy.size if isinstance(value, int) else Toy.name) == bindparam("value")
    )

    with pytest.raises(Exception) as caught:  # noqa: PT011 - each driver has its own
        await toys.reader.all(prepare(by_value, UUID), value=value)

    error = to_app_error(caught.value)
    assert error is not None
    assert error.status == 422


async def test_a_statement_that_is_wrong_is_a_bug(toys: Database) -> None:
    wrong = prepare(select(func.no_such_function(1)), int)

    with pytest.raises(Exception) as caught:  # noqa: PT011 - each driver has its own
        await toys.reader.all(wrong)

    assert to_app_error(caught.value) is None
    missing = prepare(select(column("no_such_column")).select_from(Toy.__table__), int)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each driver has its own
        await toys.reader.all(missing)
    assert isinstance(to_app_error(caught.value), Unavailable)  # the schema may not be migrated yet

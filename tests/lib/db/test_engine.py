import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from app.lib.clock import utc_now
from app.lib.db import sqlite
from app.lib.db.engine import Database
from app.lib.db.faults import DatabaseUnavailable, is_lock_timeout, is_retryable, to_app_error
from app.lib.db.prepared import prepare
from app.lib.db.sqlite import VERSION, is_sound
from app.lib.db.url import DatabaseURL
from app.lib.errors import Unavailable
from tests.lib.db.conftest import OpenDatabase, Run
from tests.lib.db.toys import ON_POSTGRESQL, ON_SQLITE, Toy
from tests.support.proxy import Proxy
from tests.support.waiting import PATIENCE

_size = prepare(select(Toy.size), int)


async def pragma(database: Database, name: str) -> object:
    async with database.engine.connect() as connection:
        return (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()


@ON_SQLITE
async def test_sqlite_keeps_what_it_acknowledged_and_checks_references(toys: Database) -> None:
    assert {name: await pragma(toys, name) for name in ("journal_mode", "synchronous", "foreign_keys")} == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
    }
    assert await pragma(toys, "busy_timeout") == 15_000


@ON_SQLITE
async def test_a_unit_of_work_holds_the_write_lock_from_its_start(
    toys: Database, another: OpenDatabase, run: Run
) -> None:
    impatient = await another()
    event.listen(impatient.engine.sync_engine, "connect", lambda driver, _: driver.execute("PRAGMA busy_timeout=1"))
    async with toys.independent() as unit:
        await unit.session.execute(text("SELECT 1"))
        with pytest.raises(DBAPIError) as caught:
            await write(impatient, run)

    assert is_retryable(caught.value)
    assert is_lock_timeout(caught.value)
    assert isinstance(to_app_error(caught.value), Unavailable)
    await write(impatient, run)


@ON_SQLITE
async def test_the_log_of_sqlite_shrinks_after_a_long_reader_has_left(toys: Database) -> None:
    log = toys.url.path.with_name(f"{toys.url.path.name}-wal")
    await add_some(toys)
    with closing(sqlite3.connect(toys.url.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM toys").fetchone()
        async with toys.independent() as unit:
            await unit.session.execute(update(Toy).values(picture=b"x" * 10_000_000))
        grown = log.stat().st_size
    for _ in range(2):
        await add_some(toys)

    assert grown > 8_000_000
    assert log.stat().st_size <= 5_000_000


def test_the_sqlite_in_use_is_free_of_the_wal_bug() -> None:
    assert VERSION >= (3, 51, 3)
    assert is_sound()


async def add_one(database: Database) -> None:
    """Reads, thinks, writes."""
    async with database.independent() as unit:
        toy = (await unit.session.execute(select(Toy).with_for_update())).scalar_one()
        await asyncio.sleep(0)
        toy.size += 1


async def test_64_parallel_changes_lose_nothing(toys: Database) -> None:
    async with toys.independent() as unit:
        unit.session.add(Toy(name="counter"))

    await asyncio.gather(*(add_one(toys) for _ in range(64)))

    assert await toys.reader.first(_size) == 64


WRITERS = """
import asyncio, os, sys
from sqlalchemy import text
from app.lib.clock import utc_now
from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL

async def main():
    database = Database(DatabaseOptions(url=DatabaseURL.parse(sys.argv[1])))
    for _ in range(100):
        async with database.engine.begin() as connection:
            size = (await connection.execute(text("SELECT size FROM toys"))).scalar_one()
            await connection.execute(text("UPDATE toys SET size = :size"), {"size": size + 1})
    await database.close()

children = []
for _ in range(3):
    child = os.fork()
    if not child:
        asyncio.run(main())
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children) > 0)
"""


@ON_SQLITE
async def test_processes_that_write_to_one_file_lose_nothing(toys: Database) -> None:
    await add_some(toys)
    command = [sys.executable, "-c", WRITERS, toys.url.url.render_as_string()]

    process = await asyncio.create_subprocess_exec(*command, cwd=Path(__file__).parents[3])

    assert await process.wait() == 0
    assert await toys.reader.first(_size) == 300


@ON_SQLITE
async def test_a_statement_of_the_writer_is_ended_after_its_time(
    toys: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sqlite.STATEMENT_SECONDS == 5.0  # in which it would use the processor
    monkeypatch.setattr(sqlite, "STATEMENT_SECONDS", 0.5)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(DBAPIError) as caught:
            async with toys.independent() as unit:
                await run(unit, text(endless))

    assert isinstance(to_app_error(caught.value), Unavailable)
    async with toys.engine.begin() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1


@ON_SQLITE
async def test_nothing_is_written_after_sqlite_has_rolled_back_by_itself(toys: Database, run: Run) -> None:
    """As on a full disk. The statements that follow would be committed one by one."""

    async def go_on(*after: str) -> None:
        async with toys.independent() as unit:
            await unit.session.execute(insert(Toy).values(name="lost"))
            await unit.session.execute(text("ROLLBACK"))  # stands for what SQLite does
            for statement in after:
                await run(unit, text(statement))

    for after in ([], ["SELECT 1"], ["UPDATE toys SET size = 1"]):
        with pytest.raises(DBAPIError) as caught:
            await go_on(*after)
        assert isinstance(to_app_error(caught.value), Unavailable)
    assert await toys.reader.all(_size) == []
    await add_some(toys)
    assert await toys.reader.all(_size) == [0]


async def add_some(database: Database) -> None:
    async with database.independent() as unit:
        unit.session.add(Toy(name="kept"))


SETTINGS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
    "application_name": "app",
    "jit": "off",
}


@ON_POSTGRESQL
@pytest.mark.parametrize("name", SETTINGS)
async def test_the_servers_own_limits_are_in_force_for_writes_and_reads(toys: Database, name: str) -> None:
    setting = select(func.current_setting(name))
    async with toys.engine.connect() as connection:
        assert (await connection.execute(setting)).scalar_one() == SETTINGS[name]

    assert await toys.reader.first(prepare(setting, str)) == SETTINGS[name]


@ON_POSTGRESQL
async def test_for_a_pooler_no_statement_has_a_name_and_no_timeout_is_asked_for(
    toys: Database, another: OpenDatabase, run: Run
) -> None:
    """PgBouncer refuses such startup parameters, and named statements would pile up on its server connections."""
    database = await another(pooler=True, pool_size=1)
    for _ in range(3):
        await add_some(database)
        await write(database, run)
        await database.reader.all(_size)

    async with database.engine.connect() as connection:
        assert (await connection.execute(text("SELECT name FROM pg_prepared_statements"))).all() == []
        asked_for = text("SELECT name FROM pg_settings WHERE source = 'client' AND name LIKE '%timeout%'")
        assert (await connection.execute(asked_for)).all() == []
    async with toys.engine.connect() as connection:
        assert len((await connection.execute(asked_for)).all()) == 3


@ON_POSTGRESQL
async def test_waiting_too_long_for_a_lock_is_unavailable(toys: Database, run: Run) -> None:
    async with toys.independent() as unit:
        unit.session.add(Toy(name="locked"))
    async with toys.independent() as holder:
        await holder.session.execute(update(Toy).values(size=1))
        with pytest.raises(DBAPIError) as caught:
            async with asyncio.timeout(PATIENCE), toys.independent() as waiting:
                await run(waiting, update(Toy).values(size=2, updated_at=utc_now()))

    assert is_lock_timeout(caught.value)
    assert is_retryable(caught.value)
    error = to_app_error(caught.value)
    assert isinstance(error, Unavailable)
    assert error.headers == {"Retry-After": "2"}
    assert await toys.reader.first(_size) == 1


@ON_POSTGRESQL
async def test_a_lost_connection_is_replaced_before_it_is_used(toys: Database, another: OpenDatabase) -> None:
    async with Proxy(toys.url.url) as proxy:
        database = await another(proxy.url, pool_size=2)
        async with database.engine.connect() as one, database.engine.connect() as two:
            await one.execute(text("SELECT 1"))
            await two.execute(text("SELECT 1"))
        proxy.drop()
        await asyncio.sleep(0.05)

        for _ in range(4):
            async with database.engine.begin() as connection:
                assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
        await database.close()


@ON_POSTGRESQL
async def test_a_connection_lost_in_a_transaction_is_unavailable_once(
    toys: Database, another: OpenDatabase, run: Run
) -> None:
    async with Proxy(toys.url.url) as proxy:
        database = await another(proxy.url, pool_size=1)

        async def lose_the_connection() -> None:
            async with database.independent() as unit:
                await run(unit, text("SELECT 1"))
                proxy.drop()
                await run(unit, text("SELECT 1"))

        with pytest.raises(DBAPIError) as caught:
            await lose_the_connection()

        assert isinstance(to_app_error(caught.value), Unavailable)
        async with database.independent() as unit:
            await unit.session.execute(text("SELECT 1"))
        await database.close()


@ON_POSTGRESQL
async def test_a_server_that_refuses_connections_is_unavailable(toys: Database, another: OpenDatabase) -> None:
    async with Proxy(toys.url.url) as proxy:
        database = await another(proxy.url)
        await proxy.cut()
        with pytest.raises(DBAPIError) as write:
            async with database.independent() as unit:
                await unit.session.execute(text("SELECT 1"))
        with pytest.raises(DatabaseUnavailable) as read:
            await database.reader.first(_size)

        await proxy.restore()
        async with database.independent() as unit:
            await unit.session.execute(text("SELECT 1"))
        await database.reader.first(_size)
        await database.close()

    assert isinstance(to_app_error(write.value), DatabaseUnavailable)
    assert to_app_error(read.value) is read.value


@ON_POSTGRESQL
@pytest.mark.parametrize("address", ["/nowhere", "127.0.0.1:1"])
async def test_a_server_that_is_not_there_is_unavailable(another: OpenDatabase, address: str) -> None:
    host, _, port = address.partition(":")
    url = DatabaseURL.parse(f"postgresql://none@/none?host={host}&port={port or 5432}")
    database = await another(url)
    with pytest.raises(DBAPIError) as write:
        async with database.independent() as unit:
            await unit.session.execute(text("SELECT 1"))
    with pytest.raises(DatabaseUnavailable) as read:
        await database.reader.first(_size)

    assert isinstance(to_app_error(write.value), DatabaseUnavailable)
    assert isinstance(read.value.__cause__, OSError)


@ON_POSTGRESQL
async def test_a_black_hole_is_unavailable_in_time_and_forgotten_afterwards(
    toys: Database, another: OpenDatabase, run: Run
) -> None:
    async with Proxy(toys.url.url) as proxy:
        database = await another(proxy.url, pool_size=2)
        await write(database, run)
        await database.reader.first(_size)
        proxy.hush()

        async with asyncio.timeout(PATIENCE):
            outcomes = await asyncio.gather(
                write(database, run), database.reader.first(_size), write(database, run), return_exceptions=True
            )

        assert {type(to_app_error(outcome)) for outcome in outcomes if isinstance(outcome, Exception)} == {
            DatabaseUnavailable
        }
        assert len([outcome for outcome in outcomes if isinstance(outcome, Exception)]) == 3
        await proxy.restore()
        async with asyncio.timeout(PATIENCE):
            await write(database, run)
            await database.reader.first(_size)
        await database.close()


async def write(database: Database, run: Run) -> None:
    async with database.independent() as unit:
        await run(unit, update(Toy).values(size=1, updated_at=utc_now()))


async def test_a_full_pool_of_writers_is_unavailable(toys: Database, another: OpenDatabase, run: Run) -> None:
    database = await another(pool_size=1)
    database.engine.pool._timeout = 0.1  # type: ignore[attr-defined]  # five or thirty seconds are long for a test
    async with database.independent() as holder:
        await holder.session.execute(text("SELECT 1"))
        with pytest.raises(Exception, match="QueuePool limit") as caught:
            await write(database, run)
    await write(database, run)

    assert isinstance(to_app_error(caught.value), DatabaseUnavailable)


async def test_no_error_shows_the_values_of_a_statement(toys: Database, run: Run) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with toys.independent() as unit:
            await run(unit, text("SELECT no_such_function(:secret)").bindparams(secret="hunter2"))

    assert "hunter2" not in str(caught.value)


def test_an_old_sqlite_is_logged_at_the_start() -> None:
    """Without the bundled library the standard one serves; its version decides."""
    program = (
        "import sys, importlib.util\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'pysqlite3' else real(name, *rest)\n"
        "import sqlite3 as standard\n"
        "from app.lib.db import sqlite\n"
        "assert sqlite.sqlite3 is standard and sys.modules['sqlite3'] is standard\n"
        "assert sqlite.VERSION == standard.sqlite_version_info\n"
        "assert sqlite.is_sound() == (standard.sqlite_version_info >= (3, 51, 3))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3])  # noqa: S603 - our own text

"""Work that loses a race runs again: on the faults that the databases themselves raise, so often, and no more."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from app.lib.db.base import new_id
from app.lib.db.engine import Database
from app.lib.db.faults import DatabaseUnavailable, driver_error, is_retryable, sqlstate
from app.lib.db.retries import ATTEMPTS, in_savepoint, in_transaction
from app.lib.db.uow import UnitOfWork
from tests.lib.db.conftest import OpenDatabase
from tests.lib.db.toys import ON_POSTGRESQL, ON_SQLITE, Toy


class Refused(Exception):
    pass


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited between the attempts; none of it is."""
    seen: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        seen.append(seconds)
        await sleep(0)

    own = SimpleNamespace(**vars(asyncio) | {"sleep": note})  # what else runs in this loop sleeps as ever
    monkeypatch.setattr("app.lib.db.retries.asyncio", own)
    return seen


async def add(unit: UnitOfWork, name: str) -> None:
    await unit.session.execute(insert(Toy).values(id=new_id(), name=name))


async def rename(unit: UnitOfWork, name: str, to: str) -> None:
    await unit.session.execute(update(Toy).where(Toy.name == name).values(name=to, version=Toy.version + 1))


async def names(toys: Database) -> list[str]:
    async with toys.independent() as unit:
        return list((await unit.session.execute(select(Toy.name).order_by(Toy.name))).scalars())


def failing(error: Exception, calls: list[int]) -> Callable[[UnitOfWork], Awaitable[None]]:
    async def work(unit: UnitOfWork) -> None:
        calls.append(len(calls))
        await add(unit, f"attempt {len(calls)}")
        raise error

    return work


@ON_POSTGRESQL
async def test_a_deadlock_is_tried_again(toys: Database) -> None:
    async with toys.independent() as unit:
        await add(unit, "a")
        await add(unit, "b")
    both = asyncio.Barrier(2)
    faults: list[str | None] = []
    attempts: list[str] = []

    async def touch(first: str, second: str, unit: UnitOfWork) -> None:
        attempts.append(first)
        await unit.session.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
        await rename(unit, first, first)
        if len(attempts) <= 2:
            await both.wait()
        try:
            await rename(unit, second, second)
        except DBAPIError as exc:
            faults.append(sqlstate(driver_error(exc)))
            raise

    await asyncio.gather(
        in_transaction(toys, lambda unit: touch("a", "b", unit)),
        in_transaction(toys, lambda unit: touch("b", "a", unit)),
    )

    assert (faults, len(attempts)) == (["40P01"], 3)


@ON_POSTGRESQL
async def test_a_serialization_failure_is_tried_again(toys: Database) -> None:
    async with toys.independent() as unit:
        await add(unit, "a")
    faults: list[str | None] = []
    attempts: list[int] = []

    async def count(unit: UnitOfWork) -> None:
        attempts.append(1)
        await unit.session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        await unit.session.execute(select(func.count()).select_from(Toy))
        if len(attempts) == 1:
            async with toys.independent() as other:
                await rename(other, "a", "a")
        try:
            await rename(unit, "a", "b")
        except DBAPIError as exc:
            faults.append(sqlstate(driver_error(exc)))
            raise

    await in_transaction(toys, count)

    assert (faults, len(attempts), await names(toys)) == (["40001"], 2, ["b"])


@ON_POSTGRESQL
async def test_a_lock_that_cannot_be_had_is_tried_again(toys: Database) -> None:
    async with toys.independent() as unit:
        await add(unit, "a")
    held, failed = asyncio.Event(), asyncio.Event()
    faults: list[str | None] = []

    async def hold() -> None:
        async with toys.independent() as unit:
            await rename(unit, "a", "a")
            held.set()
            await failed.wait()

    async def want(unit: UnitOfWork) -> None:
        await unit.session.execute(text("SET LOCAL lock_timeout = '20ms'"))
        try:
            await rename(unit, "a", "b")
        except DBAPIError as exc:
            faults.append(sqlstate(driver_error(exc)))
            failed.set()
            raise

    holder = asyncio.create_task(hold())
    await held.wait()
    await in_transaction(toys, want)
    await holder

    assert (set(faults), await names(toys)) == ({"55P03"}, ["b"])


@ON_SQLITE
async def test_a_busy_file_is_tried_again(toys: Database, another: OpenDatabase) -> None:
    other = await another()
    async with other.engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        await raw.execute("PRAGMA busy_timeout = 1")
    faults: list[bool] = []
    held, release = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with toys.independent() as unit:
            await add(unit, "held")
            held.set()
            await release.wait()

    async def want(unit: UnitOfWork) -> None:
        try:
            await add(unit, "wanted")
        except DBAPIError as exc:
            faults.append(is_retryable(exc))
            release.set()
            raise

    holder = asyncio.create_task(hold())
    await held.wait()
    await in_transaction(other, want)
    await holder

    assert (set(faults), await names(toys)) == ({True}, ["held", "wanted"])


class Lost(DBAPIError):
    """As SQLAlchemy reports a deadlock."""

    def __init__(self) -> None:
        fault = Exception("deadlock detected")
        fault.sqlstate = "40P01"  # type: ignore[attr-defined]  # as asyncpg's own errors have it
        super().__init__(None, None, fault)


async def test_it_gives_up_after_five_attempts_and_raises_the_last_fault(toys: Database, waits: list[float]) -> None:
    calls: list[int] = []
    lost = Lost()

    with pytest.raises(Lost) as caught:
        await in_transaction(toys, failing(lost, calls))

    assert caught.value is lost
    assert (len(calls), len(waits)) == (ATTEMPTS, ATTEMPTS - 1)
    assert await names(toys) == []


async def test_it_gives_up_after_its_time(toys: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.lib.db.retries.PATIENCE_SECONDS", 0)
    calls: list[int] = []

    with pytest.raises(Lost):
        await in_transaction(toys, failing(Lost(), calls))

    assert len(calls) == 1


@ON_POSTGRESQL
async def test_a_connection_that_is_lost_in_a_savepoint_is_a_database_that_is_away(toys: Database) -> None:
    async def work() -> None:
        pid = (await unit.session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        async with toys.engine.connect() as other:
            await other.execute(text("SELECT pg_terminate_backend(:pid, 1000)"), {"pid": pid})
        await add(unit, "lost")

    unit = toys.unit()
    await add(unit, "before")
    with pytest.raises(DatabaseUnavailable):
        await in_savepoint(unit, work)
    await unit.rollback()

    assert await names(toys) == []


async def test_any_other_error_is_raised_at_once(toys: Database, waits: list[float]) -> None:
    calls: list[int] = []

    with pytest.raises(Refused):
        await in_transaction(toys, failing(Refused(), calls))

    assert (len(calls), waits) == (1, [])


@pytest.mark.parametrize(("chance", "expected"), [(1.0, [0.04, 0.08, 0.16, 0.32]), (0.0, [0.0] * 4)])
async def test_waits_are_anything_between_nothing_and_twice_the_last(
    toys: Database, waits: list[float], monkeypatch: pytest.MonkeyPatch, chance: float, expected: list[float]
) -> None:
    monkeypatch.setattr(random, "random", lambda: chance)

    with pytest.raises(Lost):
        await in_transaction(toys, failing(Lost(), []))

    assert waits == pytest.approx(expected)


@pytest.mark.parametrize("begun", [False, True], ids=["from the beginning", "from a savepoint"])
async def test_an_attempt_that_failed_leaves_nothing_and_what_was_before_stays(
    toys: Database, waits: list[float], *, begun: bool
) -> None:
    attempts: list[int] = []
    async with toys.independent() as unit:
        if begun:
            await add(unit, "before")

        async def work() -> str:
            attempts.append(1)
            await add(unit, f"attempt {len(attempts)}")
            if len(attempts) < 3:
                raise Refused
            return "done"

        done = await in_savepoint(unit, work, also=(Refused,))

    assert (done, len(attempts), len(waits)) == ("done", 3, 2)
    assert await names(toys) == (["attempt 3", "before"] if begun else ["attempt 3"])


@pytest.mark.parametrize("begun", [False, True], ids=["from the beginning", "from a savepoint"])
async def test_the_transaction_goes_on_after_work_that_failed(toys: Database, *, begun: bool) -> None:
    async with toys.independent() as unit:
        if begun:
            await add(unit, "before")
        with pytest.raises(Refused):
            await in_savepoint(unit, lambda: failing(Refused(), [])(unit))
        await add(unit, "after")

    assert await names(toys) == (["after", "before"] if begun else ["after"])

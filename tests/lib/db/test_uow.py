import asyncio
from uuid import UUID

import pytest
from sqlalchemy import func, insert, literal, select
from sqlalchemy.exc import IntegrityError

from app.lib.db.base import new_id
from app.lib.db.engine import Database
from app.lib.db.prepared import prepare
from app.lib.db.uow import UnitOfWork
from tests.lib.db.conftest import OpenDatabase
from tests.lib.db.toys import Box, Toy
from tests.support.waiting import PATIENCE

_names = prepare(select(Toy.name).order_by(Toy.name), str)


class Refused(Exception):
    pass


async def add(unit: UnitOfWork, name: str, called: list[str] | None = None) -> UUID:
    item_id = new_id()
    await unit.session.execute(insert(Toy).values(id=item_id, name=name))
    if called is not None:
        unit.after_commit(lambda: called.append(name))
    return item_id


async def test_callbacks_run_after_the_commit_in_order_and_once(toys: Database) -> None:
    called: list[str] = []

    def wake() -> None:
        called.append("wake")

    async with toys.independent() as unit:
        await add(unit, "a", called)
        unit.after_commit(wake)
        await add(unit, "b", called)
        unit.after_commit(wake)
        before = (list(called), await toys.reader.all(_names))

    assert before == ([], [])
    assert called == ["a", "wake", "b"]
    assert await toys.reader.all(_names) == ["a", "b"]


async def test_a_rollback_forgets_the_callbacks(toys: Database) -> None:
    called: list[str] = []

    async def refused() -> None:
        async with toys.independent() as unit:
            await add(unit, "a", called)
            raise Refused

    with pytest.raises(Refused):
        await refused()

    assert called == []
    assert await toys.reader.all(_names) == []


async def test_a_failed_commit_calls_nothing_and_keeps_nothing(toys: Database) -> None:
    called: list[str] = []

    async def commit_what_refers_to_nothing() -> None:
        async with toys.independent() as unit:
            await add(unit, "a", called)
            unit.session.add(Toy(name="b", box_id=new_id()))  # flushed by the commit only

    with pytest.raises(IntegrityError):
        await commit_what_refers_to_nothing()

    assert called == []
    assert await toys.reader.all(_names) == []


async def test_each_commit_has_its_own_callbacks(toys: Database) -> None:
    called: list[str] = []
    async with toys.independent() as unit:
        await add(unit, "a", called)
        await unit.commit()
        await unit.commit()
        await add(unit, "b", called)
        await unit.rollback()

    assert called == ["a"]


async def test_an_independent_unit_survives_the_refusal_of_the_request(toys: Database) -> None:
    """As a sign-in does it: reads, then records the failure by itself, then raises."""
    called: list[str] = []

    async def request() -> None:
        async with toys.independent():
            async with toys.independent() as other:
                await add(other, "recorded", called)
            raise Refused

    with pytest.raises(Refused):
        await request()

    assert called == ["recorded"]
    assert await toys.reader.all(_names) == ["recorded"]


async def test_after_a_rollback_an_independent_unit_may_write_the_same_rows(toys: Database) -> None:
    """As a refresh does it: the request's unit has written, is rolled back, and the other one revokes."""
    async with toys.independent() as unit:
        await add(unit, "undone")
        await unit.rollback()
        async with asyncio.timeout(PATIENCE), toys.independent() as other:
            await add(other, "kept")

    assert await toys.reader.all(_names) == ["kept"]


async def test_a_cancelled_unit_leaves_nothing_and_frees_its_connection(toys: Database, another: OpenDatabase) -> None:
    database = await another(pool_size=1)

    async def work(started: asyncio.Event) -> None:
        async with database.independent() as unit:
            await add(unit, "lost")
            started.set()
            await asyncio.sleep(60)

    for _ in range(5):
        started = asyncio.Event()
        task = asyncio.create_task(work(started))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async with asyncio.timeout(PATIENCE), database.independent() as unit:
        await add(unit, "kept")
    assert await database.reader.all(_names) == ["kept"]


async def test_requests_cancelled_at_any_moment_free_their_connections(toys: Database, another: OpenDatabase) -> None:
    database = await another(pool_size=2)

    async def work() -> None:
        async with database.independent() as unit:
            await unit.session.execute(select(func.count(), literal(1)).select_from(Box))
            await add(unit, "x")

    for delay in (0, 0.001, 0.002, 0.003, 0.005, 0.01):
        tasks = [asyncio.create_task(work()) for _ in range(10)]
        await asyncio.sleep(delay)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(work() for _ in range(10)))
    assert len(await database.reader.all(_names)) >= 10

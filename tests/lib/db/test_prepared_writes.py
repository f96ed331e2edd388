"""Prepared statements of a unit of work: they run in its transaction, as the session's own statements do."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import JSON, String, bindparam, column, delete, event, insert, select, text, update
from sqlalchemy.exc import PendingRollbackError

from app.lib.db.base import new_id, table_of
from app.lib.db.engine import Database
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.statements import insert_or_update
from app.lib.db.uow import UnitOfWork
from tests.lib.db.conftest import OpenDatabase
from tests.lib.db.toys import ON_POSTGRESQL, Box, Toy
from tests.support.proxy import Proxy
from tests.support.waiting import PATIENCE

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Sized(msgspec.Struct, frozen=True):
    name: str
    size: int


_toys, _boxes = table_of(Toy), table_of(Box)
_names = prepare(select(Toy.name).order_by(Toy.name), str)
_insert_toy = prepare(insert(_toys))
_insert_sized = prepare(insert(_toys).returning(*columns_of(Sized, _toys.c)), Sized)
_grow = prepare(
    update(_toys)
    .where(_toys.c.size < bindparam("below"))
    .values(size=_toys.c.size + bindparam("by", value=1), updated_at=_toys.c.updated_at)
    .returning(*columns_of(Sized, _toys.c)),
    Sized,
)
_delete = prepare(delete(_toys).where(_toys.c.name == bindparam("name")))


def toy(name: str, **values: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("made_at", "picture", "parts", "note", "box_id"))
    common = {"id": new_id(), "created_at": NOW, "updated_at": NOW, "version": 1}
    return {**common, "name": name, "colour": "red", "size": 0, "is_new": True, **empty, **values}


async def test_inserts_updates_and_deletes_say_what_they_affected(toys: Database) -> None:
    async with toys.independent() as unit:
        assert await unit.execute(_insert_toy, **toy("a")) == 1
        assert await unit.first(_insert_sized, **toy("b", size=5)) == Sized("b", 5)
        await unit.execute_many(_insert_toy, [toy("c"), toy("d", size=1)])
        await unit.execute_many(_insert_toy, [])
        grown = await unit.all(_grow, below=2, by=10)
        assert await unit.all_many(_insert_sized, [toy("f", size=9), toy("e")]) == [Sized("f", 9), Sized("e", 0)]
        assert await unit.all_many(_insert_sized, []) == []
        assert await unit.execute(_grow, below=20) == 6
        assert await unit.first(_grow, below=0) is None
        assert await unit.execute(_delete, name="nothing") == 0
        assert await unit.execute(_delete, name="a") == 1

    assert sorted((each.name, each.size) for each in grown) == [("a", 10), ("c", 10), ("d", 11)]
    assert await toys.reader.all(_names) == ["b", "c", "d", "e", "f"]


async def test_every_type_goes_in_as_it_comes_back(toys: Database) -> None:
    wanted = toy(
        "日本 😀", made_at=NOW, picture=bytes(range(256)), parts={"wheels": [1, 2.5, None], "ü": 1}, note="'\n"
    )
    stored = prepare(select(*columns_of(_Stored, _toys.c)), _Stored)

    async with toys.independent() as unit:
        await unit.execute(_insert_toy, **wanted)
        inside = await unit.first(stored)

    assert inside == _Stored(wanted["made_at"], wanted["picture"], wanted["parts"])
    assert await toys.reader.first(stored) == inside
    assert isinstance(_toys.c.parts.type, JSON)


class _Stored(msgspec.Struct, frozen=True):
    made_at: datetime
    picture: bytes
    parts: Any


async def test_pending_changes_of_entities_are_flushed_first(toys: Database) -> None:
    async with toys.independent() as unit:
        entity = Toy(name="pending")
        unit.session.add(entity)
        assert await unit.all(_names) == ["pending"]
        entity.name = "renamed"
        assert await unit.all(_names) == ["renamed"]
        await unit.session.delete(entity)
        assert await unit.all(_names) == []


async def test_they_share_the_sessions_transaction_in_both_directions(toys: Database) -> None:
    async with toys.independent() as unit:
        await unit.execute(_insert_toy, **toy("a"))  # begins the transaction
        assert (await unit.session.execute(select(Toy.name))).scalars().all() == ["a"]
        await unit.session.execute(insert(Toy).values(name="b"))
        assert await unit.all(_names) == ["a", "b"]
        assert await toys.reader.all(_names) == []
        await unit.rollback()
        assert await unit.all(_names) == []
        await unit.execute(_insert_toy, **toy("c"))
        await unit.commit()
        assert await unit.all(_names) == ["c"]
        await unit.execute(_insert_toy, **toy("d"))

    assert await toys.reader.all(_names) == ["c", "d"]


async def test_savepoints_undo_them(toys: Database) -> None:
    async with toys.independent() as unit:
        await unit.execute(_insert_toy, **toy("kept"))
        await unit.execute(prepare(text("SAVEPOINT here")))
        await unit.execute(_insert_toy, **toy("undone"))
        await unit.execute(prepare(text("ROLLBACK TO SAVEPOINT here")))
        async with unit.session.begin_nested() as nested:
            await unit.execute(_insert_toy, **toy("undone"))
            await nested.rollback()

    assert await toys.reader.all(_names) == ["kept"]


async def test_after_a_failed_flush_they_are_refused_until_the_rollback(toys: Database) -> None:
    async def fail(unit: UnitOfWork) -> None:
        unit.session.add(Toy(name="x", size=-1))
        with pytest.raises(Exception, match="size"):
            await unit.all(_names)

    async with toys.independent() as unit:
        await unit.execute(_insert_toy, **toy("undone"))
        await fail(unit)
        with pytest.raises(PendingRollbackError):
            await unit.execute(_insert_toy, **toy("never"))
        await unit.rollback()
        await unit.execute(_insert_toy, **toy("kept"))

    assert await toys.reader.all(_names) == ["kept"]


async def test_on_a_lost_connection_they_are_refused_until_the_rollback(toys: Database) -> None:
    async with toys.independent() as unit:
        await unit.execute(_insert_toy, **toy("undone"))
        await (await unit.session.connection()).invalidate()
        with pytest.raises(PendingRollbackError):
            await unit.execute(_insert_toy, **toy("never"))
        await unit.rollback()
        await unit.execute(_insert_toy, **toy("kept"))

    assert await toys.reader.all(_names) == ["kept"]


async def test_listeners_of_the_engine_see_them(toys: Database) -> None:
    seen: list[tuple[str, bool]] = []

    def on_execute(_connection: Any, _cursor: Any, statement: str, _parameters: Any, _context: Any, many: bool) -> None:
        seen.append((statement.split(maxsplit=1)[0], many))

    event.listen(toys.engine.sync_engine, "before_cursor_execute", on_execute)
    try:
        async with toys.independent() as unit:
            await unit.execute_many(_insert_toy, [toy("a"), toy("b")])
            await unit.execute(_delete, name="a")
    finally:
        event.remove(toys.engine.sync_engine, "before_cursor_execute", on_execute)

    assert [each for each in seen if each[0] != "BEGIN"] == [("INSERT", True), ("DELETE", False)]


async def test_a_conflict_is_spelt_the_same_for_both_databases(toys: Database) -> None:
    new = insert_or_update(_boxes)
    count = new.on_conflict_do_update(
        index_elements=["label"], set_={"version": _boxes.c.version + new.excluded.version}
    )
    upsert = prepare(count.returning(_boxes.c.version), int)
    ignore = prepare(new.on_conflict_do_nothing())
    box = {"label": "b", "created_at": NOW, "updated_at": NOW, "version": 2}

    async with toys.independent() as unit:
        assert await unit.first(upsert, id=new_id(), **box) == 2
        assert await unit.first(upsert, id=new_id(), **box) == 4
        assert await unit.execute(ignore, id=new_id(), **box) == 0
        assert await unit.execute(ignore, id=new_id(), **{**box, "label": "c"}) == 1


def test_columns_with_defaults_of_python_must_be_named(toys: Database) -> None:
    dialect = toys.engine.dialect
    for statement in (
        insert(_toys).values(id=bindparam("id")),
        update(_toys).values(size=1),
        update(Toy).values(size=1),
    ):
        with pytest.raises(TypeError, match="updated_at"):
            prepare(statement).compiled(dialect)


def test_what_is_returned_must_match_the_struct() -> None:
    with pytest.raises(TypeError, match="do not match Sized"):
        prepare(update(_toys).returning(_toys.c.size), Sized)
    with pytest.raises(TypeError, match="takes one column"):
        prepare(insert(_toys), UUID)


@ON_POSTGRESQL
async def test_a_warm_write_is_one_round_trip(toys: Database, another: OpenDatabase) -> None:
    async with Proxy(toys.url.url) as proxy:
        database = await another(proxy.url, pool_size=1)
        for _ in range(2):
            proxy.heard.clear()
            async with database.independent() as unit:
                await unit.execute(_delete, name="a")
                await unit.execute(_delete, name="b")

        assert proxy.heard == ["Q", *["B", "E", "S"] * 2, "Q"]  # BEGIN, two of Bind, Execute, Sync; COMMIT
        await database.close()


@ON_POSTGRESQL
async def test_behind_a_pooler_statements_are_unnamed(toys: Database, another: OpenDatabase) -> None:
    names = prepare(select(column("name", String)).select_from(text("pg_prepared_statements")), str)
    for pooler in (False, True):
        database = await another(pooler=pooler, pool_size=1)
        async with database.independent() as unit:
            await unit.execute(_delete, name="a")
            await unit.execute_many(_delete, [{"name": "b"}, {"name": "c"}])
            assert bool(await unit.all(names)) is not pooler


async def test_a_cancelled_statement_undoes_its_transaction_and_frees_the_connection(
    toys: Database, another: OpenDatabase
) -> None:
    database = await another(pool_size=1)

    async def work() -> None:
        async with database.independent() as unit:
            for _ in range(20):
                await unit.execute(_insert_toy, **toy("undone"))
            await asyncio.sleep(60)

    for delay in (0, 0.0005, 0.001, 0.002, 0.005):
        task = asyncio.create_task(work())
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async with asyncio.timeout(PATIENCE), database.independent() as unit:
        await unit.execute(_insert_toy, **toy("kept"))
    assert await database.reader.all(_names) == ["kept"]

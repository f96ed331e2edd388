from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import event, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.base import new_id
from app.lib.db.engine import Database
from app.lib.db.faults import to_app_error
from app.lib.db.versions import IfMatch
from app.lib.errors import Conflict, PreconditionFailed
from tests.lib.db.toys import (
    ON_POSTGRESQL,
    Box,
    BoxMissing,
    BoxRepository,
    LabelTaken,
    Toy,
    ToyNotFound,
    ToyRepository,
)


class ToyPatch(msgspec.Struct):
    name: str | msgspec.UnsetType = msgspec.UNSET
    note: str | None | msgspec.UnsetType = msgspec.UNSET
    unknown: int = 7


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """The kinds of the statements inside the block: SELECT, INSERT, UPDATE, DELETE."""
    seen: list[str] = []

    def on_execute(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement.split(maxsplit=1)[0])

    event.listen(database.engine.sync_engine, "before_cursor_execute", on_execute)
    try:
        yield seen
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", on_execute)


async def stored(database: Database, item_id: UUID) -> Toy | None:
    async with AsyncSession(database.engine, expire_on_commit=False) as session:
        return await session.get(Toy, item_id)


async def make(database: Database, name: str = "x", **values: Any) -> UUID:
    async with database.independent() as unit:
        toy = await ToyRepository(unit).create(Toy(name=name, **values))
    return toy.id


async def test_create_is_one_statement_and_knows_every_value(toys: Database) -> None:
    async with toys.independent() as unit:
        with statements(toys) as seen:
            toy = await ToyRepository(unit).create({"name": "ball", "unknown": 7})
            known = (toy.id, toy.created_at, toy.updated_at, toy.version, toy.colour, toy.is_new)
        assert seen == ["INSERT"]

    found = await stored(toys, toy.id)
    assert found is not None
    assert known == (found.id, found.created_at, found.updated_at, found.version, found.colour, found.is_new)
    assert found.created_at == found.updated_at
    assert (found.version, found.created_at.utcoffset()) == (1, timedelta(0))


async def test_get_returns_the_entity_or_raises_the_business_error(toys: Database) -> None:
    item_id = await make(toys)
    async with toys.independent() as unit:
        repository = ToyRepository(unit)

        assert (await repository.get(item_id)).name == "x"
        for missing in (repository.get, repository.get_for_update):
            with pytest.raises(ToyNotFound):
                await missing(new_id())


async def test_get_for_update_reads_what_is_committed_now(toys: Database) -> None:
    item_id = await make(toys, "old")
    async with toys.independent() as unit:
        repository = ToyRepository(unit)
        toy = await repository.get(item_id)
        await unit.commit()
        async with toys.independent() as other:
            await other.session.execute(update(Toy).values(name="new", version=2))
        assert toy.name == "old"

        locked = await repository.get_for_update(item_id)

        assert locked is toy
        assert (toy.name, toy.version) == ("new", 2)


async def test_get_for_update_by_another_column_and_with_conditions(toys: Database) -> None:
    item_id = await make(toys, "ball", colour="blue")
    async with toys.independent() as unit:
        repository = ToyRepository(unit)

        assert (await repository.get_for_update("ball", by=Toy.name)).id == item_id
        assert (await repository.get_for_update(item_id, IfMatch(), Toy.colour == "blue")).id == item_id
        with pytest.raises(ToyNotFound):
            await repository.get_for_update(item_id, IfMatch(), Toy.colour == "red")


@pytest.mark.parametrize(
    ("versions", "accepted"),
    [(None, True), (frozenset({1}), True), (frozenset({1, 7}), True), (frozenset[int](), False), ({2}, False)],
)
async def test_get_for_update_checks_the_version(toys: Database, versions: Any, *, accepted: bool) -> None:
    item_id = await make(toys)
    async with toys.independent() as unit:
        locking = ToyRepository(unit).get_for_update(item_id, IfMatch(versions))
        if accepted:
            assert (await locking).id == item_id
        else:
            with pytest.raises(PreconditionFailed):
                await locking


@ON_POSTGRESQL
@pytest.mark.parametrize("key_share", [False, True])
async def test_the_lock_holds_until_the_transaction_ends(toys: Database, *, key_share: bool) -> None:
    item_id = await make(toys)
    free = select(Toy.id).with_for_update(skip_locked=True)
    referring = select(Toy.id).with_for_update(read=True, key_share=True, skip_locked=True)
    async with toys.independent() as unit:
        await ToyRepository(unit).get_for_update(item_id, key_share=key_share)
        async with toys.independent() as other:
            assert (await other.session.execute(free)).all() == []
            assert bool((await other.session.execute(referring)).all()) is key_share

    async with toys.independent() as other:
        assert len((await other.session.execute(free)).all()) == 1


async def test_update_is_one_statement_and_writes_only_what_is_given(toys: Database) -> None:
    item_id = await make(toys, "old", note="a note")
    async with toys.independent() as unit:
        repository = ToyRepository(unit)
        toy = await repository.get_for_update(item_id)
        before = toy.updated_at
        toy.size = 3
        with statements(toys) as seen:
            assert await repository.update(toy, ToyPatch(name="new"))
        assert seen == ["UPDATE"]
        assert await repository.update(toy, ToyPatch(note=None))

    found = await stored(toys, item_id)
    assert found is not None
    assert (found.name, found.size, found.note, found.version) == ("new", 3, None, 3)
    assert (found.updated_at, found.created_at, found.updated_at > before) == (toy.updated_at, toy.created_at, True)


async def test_update_without_a_change_is_no_statement_unless_it_touches(toys: Database) -> None:
    item_id = await make(toys)
    async with toys.independent() as unit:
        repository = ToyRepository(unit)
        toy = await repository.get_for_update(item_id)
        with statements(toys) as seen:
            assert not await repository.update(toy, {"name": "x"})
            assert not await repository.update(toy)
        assert seen == []
        assert await repository.update(toy, touch=True)

    assert toy.version == 2


async def test_delete_is_one_statement(toys: Database) -> None:
    item_id = await make(toys)
    async with toys.independent() as unit:
        repository = ToyRepository(unit)
        toy = await repository.get_for_update(item_id)
        with statements(toys) as seen:
            await repository.delete(toy)
        assert seen == ["DELETE"]

    assert await stored(toys, item_id) is None


async def test_a_violated_constraint_is_the_business_error_of_its_column_or_table(toys: Database) -> None:
    async def create_taken() -> None:
        async with toys.independent() as unit:
            await BoxRepository(unit).create({"label": "a"})

    async def update_to_taken() -> None:
        async with toys.independent() as unit:
            repository = BoxRepository(unit)
            await repository.update(await repository.create({"label": "b"}), {"label": "a"})

    await create_taken()
    for work in (create_taken, update_to_taken):
        with pytest.raises(LabelTaken):
            await work()
    with pytest.raises(BoxMissing):
        await make(toys, box_id=new_id())
    with pytest.raises(IntegrityError):  # a constraint that no error is declared for
        await make(toys, size=-1)


async def test_a_row_that_is_referred_to_stays(toys: Database) -> None:
    async with toys.independent() as unit:
        box = await BoxRepository(unit).create(Box(label="a"))
        await ToyRepository(unit).create({"name": "x", "box_id": box.id})

    async def delete_it() -> None:
        async with toys.independent() as unit:
            repository = BoxRepository(unit)
            await repository.delete(await repository.get_for_update(box.id))

    with pytest.raises(IntegrityError):
        await delete_it()


@pytest.mark.parametrize("deleted", [False, True])
async def test_an_entity_that_was_read_without_a_lock_is_not_overwritten(toys: Database, *, deleted: bool) -> None:
    item_id = await make(toys)

    async def overtaken() -> None:
        async with toys.independent() as unit:
            repository = ToyRepository(unit)
            toy = await repository.get(item_id)
            await unit.commit()
            async with toys.independent() as other:
                others = ToyRepository(other)
                same = await others.get_for_update(item_id)
                await (others.delete(same) if deleted else others.update(same, {"name": "z"}))
            await repository.update(toy, {"name": "y"})

    with pytest.raises(Exception, match="expected to update 1 row") as caught:
        await overtaken()

    assert type(to_app_error(caught.value)) is Conflict


def test_ids_are_unique_and_sort_by_time() -> None:
    ids = [new_id() for _ in range(10_000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == 10_000
    assert {item_id.version for item_id in ids} == {7}


async def test_core_inserts_take_the_models_defaults(toys: Database) -> None:
    async with toys.independent() as unit:
        await unit.session.execute(insert(Toy).values(name="core"))

    async with AsyncSession(toys.engine, expire_on_commit=False) as session:
        toy = (await session.scalars(select(Toy))).one()
    assert (toy.version, toy.colour, toy.created_at == toy.updated_at) == (1, "red", True)

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from advanced_alchemy.exceptions import NotFoundError
from advanced_alchemy.filters import LimitOffset, OrderBy
from sqlalchemy import event, insert, select, update

from app.lib.db.base import new_id
from app.lib.db.engine import Database
from app.lib.db.faults import to_app_error
from app.lib.db.uow import UnitOfWork
from app.lib.errors import Conflict, PreconditionFailed
from tests.lib.db.toys import ON_POSTGRESQL, Toy, ToyNotFound, ToyRepository, ToyService


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
    async with database.sessions() as session:
        return await session.get(Toy, item_id)


async def make(database: Database, *names: str, **values: Any) -> list[UUID]:
    async with database.independent() as unit:
        toys = [Toy(name=name, **values) for name in names]
        unit.session.add_all(toys)
    return [toy.id for toy in toys]


async def test_insert_takes_one_statement_and_knows_everything(toys: Database) -> None:
    async with toys.independent() as unit:
        with statements(toys) as seen:
            toy = await ToyRepository(session=unit.session).insert(Toy(name="ball"))
            known = (toy.id, toy.created_at, toy.updated_at, toy.version, toy.colour, toy.is_new)
        assert seen == ["INSERT"]

    found = await stored(toys, toy.id)
    assert found is not None
    assert known == (found.id, found.created_at, found.updated_at, found.version, found.colour, found.is_new)
    assert found.created_at == found.updated_at
    assert (found.version, found.created_at.utcoffset()) == (1, timedelta(0))


async def test_find_and_find_by(toys: Database) -> None:
    red, _blue = await make(toys, "red ball", "blue ball")
    async with toys.sessions() as session:
        repository = ToyRepository(session=session)

        assert (found := await repository.find(red)) is not None
        assert found.name == "red ball"
        assert await repository.find(new_id()) is None
        assert (found := await repository.find_by(name="blue ball", colour="red")) is not None
        assert await repository.find_by(name="blue ball", colour="blue") is None
        assert await repository.find_by(note=None, name="red ball") is not None


async def test_what_is_inherited_works(toys: Database) -> None:
    ids = await make(toys, "a", "b", "c")
    async with toys.independent() as unit:
        repository = ToyRepository(session=unit.session)

        assert await repository.count() == 3
        assert await repository.exists(Toy.name == "b")
        assert not await repository.exists(Toy.name == "z")
        assert (await repository.get(ids[0])).name == "a"
        with pytest.raises(NotFoundError):
            await repository.get(new_id())
        listed = await repository.get_many(OrderBy("name", "desc"), LimitOffset(2, 0))
        assert [toy.name for toy in listed] == ["c", "b"]
        await repository.delete(ids[0])
        await repository.add_many([Toy(name="d"), Toy(name="e")])

    async with toys.sessions() as session:
        assert sorted(await session.scalars(select(Toy.name))) == ["b", "c", "d", "e"]


async def test_lock_sees_the_present_and_not_what_the_session_remembers(toys: Database) -> None:
    (item_id,) = await make(toys, "old")
    async with toys.sessions() as session:
        repository = ToyRepository(session=session)
        assert (toy := await repository.find(item_id)) is not None
        await session.commit()
        async with toys.independent() as other:
            await other.session.execute(update(Toy).values(name="new", version=2))
        assert toy.name == "old"

        locked = await repository.lock(item_id)

        assert locked is toy
        assert (toy.name, toy.version) == ("new", 2)
        assert await repository.lock(new_id()) is None


async def test_lock_where_takes_the_one_that_fulfils_all(toys: Database) -> None:
    item_id, other_id = await make(toys, "red one", "blue one")
    async with toys.independent() as unit:
        repository = ToyRepository(session=unit.session)

        locked = await repository.lock_where(Toy.id == item_id, Toy.name == "red one", key_share=True)

        assert locked is not None
        assert locked.id == item_id
        assert await repository.lock_where(Toy.id == other_id, Toy.name == "red one") is None


@ON_POSTGRESQL
@pytest.mark.parametrize("key_share", [False, True])
async def test_lock_where_lets_rows_refer_to_it_only_when_told(toys: Database, *, key_share: bool) -> None:
    (item_id,) = await make(toys, "x")
    referring = select(Toy.id).with_for_update(read=True, key_share=True, skip_locked=True)
    async with toys.independent() as unit:
        await ToyRepository(session=unit.session).lock_where(Toy.id == item_id, key_share=key_share)
        async with toys.independent() as other:
            assert bool((await other.session.execute(referring)).all()) is key_share


@ON_POSTGRESQL
async def test_lock_holds_until_the_end_of_the_transaction(toys: Database) -> None:
    (item_id,) = await make(toys, "x")
    free = select(Toy.id).with_for_update(skip_locked=True)
    async with toys.independent() as unit:
        await ToyRepository(session=unit.session).lock(item_id)
        async with toys.independent() as other:
            assert (await other.session.execute(free)).all() == []

    async with toys.independent() as other:
        assert len((await other.session.execute(free)).all()) == 1


async def test_a_change_counts_the_version_and_moves_the_clock(toys: Database) -> None:
    (item_id,) = await make(toys, "x")
    async with toys.independent() as unit:
        toy = await ToyRepository(session=unit.session).lock(item_id)
        assert toy is not None
        before = toy.updated_at
        with statements(toys) as seen:
            toy.name = "y"
            await ToyRepository(session=unit.session).flush()
        assert seen == ["UPDATE"]
        assert (toy.version, toy.updated_at > before) == (2, True)

    found = await stored(toys, item_id)
    assert found is not None
    assert (found.version, found.updated_at, found.created_at) == (2, toy.updated_at, toy.created_at)


async def test_no_change_is_no_statement(toys: Database) -> None:
    (item_id,) = await make(toys, "x")
    async with toys.independent() as unit:
        toy = await ToyRepository(session=unit.session).lock(item_id)
        assert toy is not None
        with statements(toys) as seen:
            toy.name = "x"
            await unit.session.flush()

    assert seen == []
    assert toy.version == 1


class TestService:
    """The generic service on the toys."""

    async def test_create_update_and_delete(self, toys: Database) -> None:
        async with toys.independent() as unit:
            service = ToyService(unit)
            with statements(toys) as created:
                toy = await service.create({"name": "ball", "size": 3})
            with statements(toys) as updated:
                toy = await service.update({"size": 4}, item_id=toy.id)
        assert (toy.size, toy.version) == (4, 2)
        assert created == ["INSERT"]
        assert updated.count("UPDATE") == 1

        async with toys.independent() as unit:
            service = ToyService(unit)
            assert (await service.get(toy.id)).size == 4
            assert (await service.get_one_or_none(Toy.name == "ball")) is not None
            assert await service.count() == 1
            assert await service.exists(Toy.size == 4)
            assert [found.id for found in await service.get_many()] == [toy.id]
            await service.delete(toy.id)
        assert await stored(toys, toy.id) is None

    async def test_require_says_what_is_missing(self, toys: Database) -> None:
        (item_id,) = await make(toys, "x")
        async with toys.independent() as unit:
            service = ToyService(unit)

            assert (await service.require(item_id)).name == "x"
            with pytest.raises(ToyNotFound):
                await service.require(new_id())
            with pytest.raises(ToyNotFound):
                await service.require_locked(new_id())

    @pytest.mark.parametrize("versions", [None, frozenset({1}), frozenset({1, 7})])
    async def test_require_locked_takes_the_versions_that_the_client_has_seen(
        self, toys: Database, versions: frozenset[int] | None
    ) -> None:
        (item_id,) = await make(toys, "x")
        async with toys.independent() as unit:
            assert (await ToyService(unit).require_locked(item_id, versions)).id == item_id

    @pytest.mark.parametrize("versions", [frozenset[int](), frozenset({2})])
    async def test_require_locked_refuses_others(self, toys: Database, versions: frozenset[int]) -> None:
        (item_id,) = await make(toys, "x")
        async with toys.independent() as unit:
            with pytest.raises(PreconditionFailed):
                await ToyService(unit).require_locked(item_id, versions)

    async def test_a_lost_update_is_a_conflict(self, toys: Database) -> None:
        (item_id,) = await make(toys, "x")

        async def overtaken() -> None:
            async with toys.sessions() as session:
                unit = UnitOfWork(session, toys.signals.emit)
                service = ToyService(unit)
                toy = await service.require(item_id)
                await session.commit()
                async with toys.independent() as other:
                    await other.session.execute(update(Toy).values(version=2))
                toy.name = "y"
                await unit.commit()

        with pytest.raises(Exception, match="expected to update 1 row") as caught:
            await overtaken()

        assert type(to_app_error(caught.value)) is Conflict

    async def test_a_deleted_row_is_a_conflict_too(self, toys: Database) -> None:
        (item_id,) = await make(toys, "x")

        async def overtaken() -> None:
            async with toys.sessions() as session:
                toy = await ToyService(UnitOfWork(session, toys.signals.emit)).require(item_id)
                await session.commit()
                async with toys.independent() as other:
                    await ToyService(other).delete(item_id)
                toy.name = "y"
                await session.commit()

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

    async with toys.sessions() as session:
        toy = (await session.scalars(select(Toy))).one()
    assert (toy.version, toy.colour, toy.created_at == toy.updated_at) == (1, "red", True)

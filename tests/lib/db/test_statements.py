"""On both databases: inserts that may meet a conflict, and how many rows a statement touched."""

from typing import Any

from sqlalchemy import CursorResult, Result, delete, select, update

from app.lib.db.base import new_id, table_of
from app.lib.db.engine import Database
from app.lib.db.statements import insert_or_update
from tests.lib.db.toys import Box, Toy


def affected(result: Result[Any]) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount


async def test_an_insert_can_pass_over_a_conflict(toys: Database) -> None:
    async with toys.independent() as unit:
        for count in (1, 0):
            statement = insert_or_update(Box).values(label="first").on_conflict_do_nothing()
            assert affected(await unit.session.execute(statement)) == count
        assert (await unit.session.execute(select(Box.label))).scalars().all() == ["first"]


async def test_an_insert_into_a_model_or_its_table_can_update_what_is_there(toys: Database) -> None:
    async with toys.independent() as unit:
        for into, version in ((Box, 7), (table_of(Box), 8)):
            statement = insert_or_update(into).values(id=new_id(), label="only", version=version)
            changed = await unit.session.execute(
                statement.on_conflict_do_update(
                    index_elements=[Box.label], set_={"version": statement.excluded.version}
                )
            )
            assert affected(changed) == 1
        assert (await unit.session.execute(select(Box.version))).scalars().all() == [8]


async def test_as_many_rows_are_affected_as_the_condition_matches(toys: Database) -> None:
    async with toys.independent() as unit:
        unit.session.add_all(Toy(name=name) for name in ("ball", "ball", "doll"))
        await unit.session.flush()
        for name, count in (("ball", 2), ("doll", 1), ("kite", 0)):
            changed = await unit.session.execute(update(Toy).where(Toy.name == name).values(size=1))
            assert affected(changed) == count
        assert affected(await unit.session.execute(delete(Toy))) == 3

"""Inserts that no one waits for: one round trip for several, and in the order that the code has."""

from typing import Any

import pytest
from sqlalchemy import bindparam, event, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from app.lib.db.base import new_id, table_of
from app.lib.db.engine import Database
from app.lib.db.prepared import prepare
from app.lib.db.retries import in_savepoint
from tests.lib.db.test_prepared_writes import NOW, toy
from tests.lib.db.toys import Box, Toy

_boxes, _toys = table_of(Box), table_of(Toy)
_names = prepare(select(Toy.name).order_by(Toy.name), str)
_insert_toy, _insert_box = prepare(insert(_toys)), prepare(insert(_boxes))
_create_toy = prepare(insert(_toys).returning(_toys.c.name), str)
_grow = prepare(update(_toys).where(_toys.c.name == bindparam("toy_name")).values(size=7, updated_at=NOW))


class Refused(Exception):
    pass


def box(label: str) -> dict[str, Any]:
    return {"id": new_id(), "created_at": NOW, "updated_at": NOW, "version": 1, "label": label}


@pytest.fixture
def sent(toys: Database) -> list[str]:
    seen: list[str] = []

    def observe(*arguments: Any) -> None:
        if "INSERT" in arguments[2]:
            seen.append(arguments[2])

    event.listen(toys.engine.sync_engine, "before_cursor_execute", observe)
    return seen


async def test_they_go_with_the_commit_at_once(toys: Database, sent: list[str]) -> None:
    large = box("large")
    async with toys.independent() as unit:
        await unit.insert(_insert_box, large)
        await unit.insert(_insert_toy, toy("a", box_id=large["id"], note="$1"), toy("b", parts={"it's": ["$2"]}))
        assert (sent, unit.has_begun) == ([], True)

    assert len(sent) == 1
    assert await toys.reader.all(_names) == ["a", "b"]


async def test_a_row_that_is_created_goes_ahead_of_those_that_wait(toys: Database, sent: list[str]) -> None:
    async with toys.independent() as unit:
        await unit.insert(_insert_toy, toy("waits"))
        assert await unit.create(_create_toy, **toy("goes ahead")) == "goes ahead"
        assert len(sent) == 1

    assert len(sent) == 2
    assert await toys.reader.all(_names) == ["goes ahead", "waits"]


async def test_every_other_statement_finds_them(toys: Database, sent: list[str]) -> None:
    async with toys.independent() as unit:
        await unit.insert(_insert_toy, toy("a"))
        assert await unit.all(_names) == ["a"]
        await unit.insert(_insert_toy, toy("b"), toy("c"), toy("d"))  # three go by themselves
        await unit.insert(_insert_toy, toy("e"))
        assert await unit.execute(_grow, toy_name="e") == 1
        await unit.insert(_insert_toy, toy("f"))
        assert len((await unit.session.execute(select(Toy.id))).all()) == 6

    assert len(sent) == 4
    assert await toys.reader.all(_names) == ["a", "b", "c", "d", "e", "f"]


async def test_entities_keep_their_place_among_them(toys: Database) -> None:
    small = box("small")
    async with toys.independent() as unit:
        await unit.insert(_insert_box, small)
        unit.session.add(Toy(name="in the small box", box_id=small["id"]))
        await unit.session.flush()
        large = Box(id=new_id(), label="large")
        unit.session.add(large)
        await unit.insert(_insert_toy, toy("in the large box", box_id=large.id))

    assert await toys.reader.all(_names) == ["in the large box", "in the small box"]


async def test_a_rollback_forgets_them(toys: Database, sent: list[str]) -> None:
    async def refused() -> None:
        async with toys.independent() as unit:
            await unit.insert(_insert_toy, toy("a"))
            raise Refused

    with pytest.raises(Refused):
        await refused()

    assert sent == []
    assert await toys.reader.all(_names) == []


async def test_a_savepoint_forgets_its_own(toys: Database) -> None:
    async def work() -> None:
        await unit.insert(_insert_toy, toy(f"attempt {len(attempts)}"))
        attempts.append("")
        if len(attempts) == 1:
            raise Refused

    attempts: list[str] = []
    async with toys.independent() as unit:
        await unit.insert(_insert_toy, toy("before"))
        await in_savepoint(unit, work, also=(Refused,))

    assert await toys.reader.all(_names) == ["attempt 1", "before"]


async def test_a_savepoint_block_forgets_its_own(toys: Database) -> None:
    async def refused() -> None:
        async with unit.savepoint():
            await unit.insert(_insert_toy, toy("in it"))
            raise Refused

    async with toys.independent() as unit:
        await unit.insert(_insert_toy, toy("before"))
        with pytest.raises(Refused):
            await refused()
        await unit.insert(_insert_toy, toy("after"))

    assert await toys.reader.all(_names) == ["after", "before"]


@pytest.mark.parametrize("then", ["commit", "statement"])
async def test_what_is_refused_is_raised_when_they_are_sent(toys: Database, then: str) -> None:
    called: list[str] = []

    async def write() -> None:
        async with toys.independent() as unit:
            unit.after_commit(lambda: called.append(""))
            await unit.insert(_insert_toy, toy("a"))
            await unit.insert(_insert_toy, toy("b", box_id=new_id()))
            if then == "statement":
                await unit.execute(prepare(text("SELECT 1")))

    with pytest.raises(IntegrityError):
        await write()

    assert called == []
    assert await toys.reader.all(_names) == []

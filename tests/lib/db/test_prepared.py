from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import Select, String, bindparam, func, insert, literal, null, or_, select, type_coerce
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.base import SplitSet, SplitText, new_id
from app.lib.db.engine import Database
from app.lib.db.prepared import PreparedIn, columns_of, joined_strings, prepare
from app.lib.errors import NotFound
from tests.lib.db.toys import Box, Toy


class ToyRow(msgspec.Struct, frozen=True):
    id: UUID
    name: str
    size: int
    is_new: bool
    made_at: datetime | None
    picture: bytes | None
    parts: Any
    note: str | None


class NamedRow(msgspec.Struct, frozen=True):
    id: UUID
    name: str


_rows = prepare(select(*columns_of(ToyRow, Toy)).order_by(Toy.id), ToyRow)

FULL: dict[str, Any] = {
    "name": "Ärger 日本 😀",
    "size": 2**31 - 1,
    "is_new": False,
    "made_at": datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC),
    "picture": bytes(range(256)),
    "parts": {"wheels": [1, 2.5, None, True], "ü": "😀"},
    "note": "a'b\"c\\d\n\t%_:x$1?",
}
EMPTY: dict[str, Any] = {
    "name": "",
    "size": 0,
    "is_new": True,
    "made_at": None,
    "picture": None,
    "parts": null(),
    "note": None,
}


async def add(database: Database, *rows: dict[str, Any]) -> list[UUID]:
    ids = [new_id() for _ in rows]
    async with database.independent() as unit:
        for item_id, row in zip(ids, rows, strict=True):
            await unit.session.execute(insert(Toy).values(id=item_id, **row))
    return ids


@pytest.mark.parametrize("row", [FULL, EMPTY, {**FULL, "picture": b"", "note": "", "parts": []}])
async def test_every_type_comes_back_as_it_went_in(toys: Database, row: dict[str, Any]) -> None:
    (item_id,) = await add(toys, row)

    (found,) = await toys.reader.all(_rows)

    assert found == ToyRow(id=item_id, **{**row, "parts": None if row is EMPTY else row["parts"]})
    assert type(found.is_new) is bool
    assert isinstance(found.id, UUID)
    async with AsyncSession(toys.engine, expire_on_commit=False) as session:
        written = (await session.execute(select(*columns_of(ToyRow, Toy)))).one()
    assert ToyRow(*written) == found


async def test_instants_of_any_zone_are_read_in_utc(toys: Database) -> None:
    there = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    await add(toys, {**FULL, "made_at": there})

    (found,) = await toys.reader.all(_rows)

    assert found.made_at == there
    assert found.made_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("column", "value"), [("name", FULL["name"]), ("made_at", FULL["made_at"]), ("picture", FULL["picture"])]
)
async def test_values_are_converted_on_their_way_in(toys: Database, column: str, value: object) -> None:
    (item_id, _) = await add(toys, FULL, EMPTY)
    by_column = prepare(select(Toy.id).where(getattr(Toy, column) == bindparam("value")), UUID)

    assert await toys.reader.all(by_column, value=value) == [item_id]


async def test_an_instant_goes_in_from_any_zone_but_not_without_one(toys: Database) -> None:
    (item_id,) = await add(toys, FULL)
    by_instant = prepare(select(Toy.id).where(Toy.made_at == bindparam("instant")), UUID)
    there = FULL["made_at"].astimezone(timezone(timedelta(hours=-9, minutes=-30)))

    assert await toys.reader.all(by_instant, instant=there) == [item_id]
    assert await toys.reader.all(by_instant, instant=None) == []
    with pytest.raises(TypeError):
        await toys.reader.all(by_instant, instant=there.replace(tzinfo=None))


async def test_a_scalar_is_converted_too(toys: Database) -> None:
    (item_id,) = await add(toys, FULL)

    assert await toys.reader.first(prepare(select(Toy.id), UUID)) == item_id
    assert await toys.reader.first(prepare(select(Toy.parts), dict)) == FULL["parts"]
    assert await toys.reader.first(prepare(select(func.count()).select_from(Toy), int)) == 1


async def test_lists_are_written_into_the_statement_and_converted(toys: Database) -> None:
    ids = await add(toys, *[{**FULL, "size": size} for size in range(4)])
    some = prepare(select(Toy.id).where(Toy.id.in_(ids[1:3]), Toy.size < bindparam("below")).order_by(Toy.id), UUID)
    none = prepare(select(Toy.id).where(Toy.id.in_([])), UUID)
    instants = prepare(select(Toy.size).where(Toy.made_at.in_([FULL["made_at"]]), Toy.id == bindparam("id")), int)

    assert await toys.reader.all(some, below=10) == ids[1:3]
    assert await toys.reader.all(some, below=2) == ids[1:2]
    assert await toys.reader.all(none) == []
    assert await toys.reader.first(instants, id=ids[3]) == 3


async def test_one_parameter_may_be_used_more_than_once(toys: Database) -> None:
    (item_id, _) = await add(toys, {**FULL, "name": "x", "note": "y"}, {**FULL, "name": "a", "note": "b"})
    wanted = bindparam("wanted", type_=String)
    either = prepare(select(Toy.id).where(or_(Toy.name == wanted, Toy.note == wanted)), UUID)

    assert await toys.reader.all(either, wanted="x") == [item_id]
    assert await toys.reader.all(either, wanted="y") == [item_id]


async def test_an_optional_parameter_has_its_own_value(toys: Database) -> None:
    await add(toys, *[{**FULL, "size": size} for size in range(5)])
    sizes = prepare(select(Toy.size).order_by(Toy.size).limit(bindparam("limit", value=2, type_=Toy.size.type)), int)

    assert await toys.reader.all(sizes) == [0, 1]
    assert await toys.reader.all(sizes, limit=4) == [0, 1, 2, 3]


async def test_a_missing_value_is_an_error_and_not_null(toys: Database) -> None:
    by_name = prepare(select(Toy.id).where(Toy.name == bindparam("name")), UUID)

    with pytest.raises(KeyError, match="name"):
        await toys.reader.all(by_name)


async def test_an_unknown_value_is_an_error_and_not_ignored(toys: Database) -> None:
    by_name = prepare(select(Toy.id).where(Toy.name == bindparam("name", value="x")), UUID)

    with pytest.raises(KeyError, match="nmae"):
        await toys.reader.all(by_name, nmae="y")


@pytest.mark.parametrize(
    "statement",
    [
        select(Toy.name, Toy.id),
        select(Toy.id),
        select(Toy.id, Toy.name, Toy.size),
        select(Toy.id, Toy.note),
        select(Toy.id, Toy.name.label("title")),
    ],
)
def test_columns_that_do_not_match_the_struct_are_refused(statement: Select[Any]) -> None:
    with pytest.raises(TypeError, match="do not match NamedRow"):
        prepare(statement, NamedRow)


def test_a_list_of_unknown_length_is_refused() -> None:
    with pytest.raises(TypeError, match="wanted"):
        prepare(select(Toy.id).where(Toy.id.in_(bindparam("wanted", expanding=True))), UUID)


def test_columns_of_takes_the_models_columns_or_the_named_ones() -> None:
    columns = columns_of(NamedRow, Toy, name=Toy.note)

    assert [column.key for column in columns] == ["id", "name"]
    assert prepare(select(*columns), NamedRow).row_type is NamedRow


def test_compiled_once_per_dialect() -> None:
    by_id = prepare(select(Toy.id).where(Toy.id == bindparam("id")), UUID)
    sqlite, postgresql = (make_url(f"{name}:///x").get_dialect()() for name in ("sqlite", "postgresql"))

    assert by_id.compiled(sqlite) is by_id.compiled(sqlite)
    assert by_id.compiled(postgresql) is not by_id.compiled(sqlite)


@pytest.mark.parametrize(
    ("words", "expected"),
    [("b,a,b,c,a", ["a", "b", "c"]), ("one", ["one"]), (None, []), ("", []), ("ü,😀", ["ü", "😀"])],
)
async def test_joined_words_are_split_sorted_and_each_once(
    toys: Database, words: str | None, expected: list[str]
) -> None:
    split = prepare(select(type_coerce(literal(words, String), SplitText())), list)

    assert await toys.reader.first(split) == expected


async def test_strings_of_another_table_are_joined_to_a_row(toys: Database) -> None:
    full, empty = new_id(), new_id()
    async with toys.independent() as unit:
        await unit.session.execute(insert(Box), [{"id": full, "label": "full"}, {"id": empty, "label": "empty"}])
    await add(toys, *[{**FULL, "name": name, "box_id": full} for name in ("b", "a", "b", "c")])
    names = joined_strings(Box, Toy.name, Toy.box_id == Box.id, Toy.name != "c")

    async with toys.independent() as unit:
        found = await unit.session.execute(select(Box.label, names).order_by(Box.label))

    assert [tuple(row) for row in found] == [("empty", []), ("full", ["a", "b"])]


async def test_rows_with_any_of_several_values(toys: Database) -> None:
    ids = await add(toys, *[{**FULL, "name": name} for name in "abc"])
    some = PreparedIn(select(Toy.name).order_by(Toy.name), Toy.id, str)

    for wanted, names, width in ((ids[:1], ["a"], 1), ([*ids, ids[0]], ["a", "b", "c"], 4)):
        prepared, values = some.of(wanted)
        assert await toys.reader.all(prepared, **values) == names
        assert len(values) == width
    assert some.of(ids)[0] is some.of(reversed(ids))[0]


async def test_a_row_that_has_to_be_there_is_an_error_where_it_is_not(toys: Database) -> None:
    (item_id,) = await add(toys, FULL)
    by_id = prepare(select(Toy.id).where(Toy.id == bindparam("item_id")), UUID)

    assert await toys.reader.one(by_id, NotFound, item_id=item_id) == item_id
    with pytest.raises(NotFound):
        await toys.reader.one(by_id, NotFound, item_id=uuid4())


async def test_words_joined_by_the_database_are_split(toys: Database) -> None:
    await add(toys, *[{**FULL, "name": name} for name in ("b", "a", "b")])
    names = prepare(select(type_coerce(func.aggregate_strings(Toy.name, ","), SplitText())), list)
    none = prepare(
        select(type_coerce(func.aggregate_strings(Toy.name, ","), SplitText())).where(Toy.id == uuid4()), list
    )

    assert await toys.reader.first(names) == ["a", "b"]
    assert await toys.reader.first(none) == []
    words = prepare(select(type_coerce(func.aggregate_strings(Toy.name, ","), SplitSet())), frozenset)
    assert await toys.reader.first(words) == frozenset({"a", "b"})

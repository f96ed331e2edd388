"""What the databases make of the statements: one walk along an index, wherever it begins."""

from typing import Any

import pytest
from sqlalchemy import text

from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.query import Shape
from tests.lib.pagination.toys import CODEC, START, ToyStore, toy_list


async def explain(store: ToyStore, sort: str, values: dict[str, Any], *, after_cursor: bool) -> str:
    statement = store.query.statement(Shape(store.query.order(sort), (), after_cursor=after_cursor))
    compiled = statement.prepared.compiled(store.engine.dialect)
    arguments = tuple(compiled.arguments({"limit": 21, **values}))
    words = "EXPLAIN (COSTS OFF)" if store.engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    async with store.engine.connect() as connection:
        if store.engine.dialect.name == "postgresql":
            await connection.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        rows = await connection.exec_driver_sql(f"{words} {compiled.sql}", arguments)
        return "\n".join(str(row[-1]) for row in rows)


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "nick", "-nick"])
async def test_a_cursor_seeks_in_the_index_and_nothing_is_sorted(store: ToyStore, sort: str) -> None:
    middle = "bob" if "nick" in sort else START
    plan = await explain(store, sort, {"key_0": middle, "key_1": store.rows[0]["id"]}, after_cursor=True)
    index = "ix_nick" if "nick" in sort else "ix_created"
    if store.engine.dialect.name == "postgresql":
        assert f"using {index} on toys" in plan
        assert "Index Cond: (" in plan
        assert "(ROW(" in plan
        assert "Sort" not in plan
        assert "Filter" not in plan
    else:
        assert plan.startswith(f"SEARCH toys USING INDEX {index} (")
        assert "TEMP B-TREE" not in plan


async def test_the_first_page_is_read_from_the_index(store: ToyStore) -> None:
    plan = await explain(store, "-created_at", {"offset": 0}, after_cursor=False)
    assert "ix_created" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


async def test_mixed_directions_seek_by_their_first_key(store: ToyStore) -> None:
    values = {"key_0": START, "key_1": "m", "key_2": store.rows[0]["id"]}
    plan = await explain(store, "-created_at,title", values, after_cursor=True)
    assert "ix_created" in plan


async def test_statements_are_built_once_per_shape(sqlite: ToyStore) -> None:
    query = toy_list()
    built = query.statement.cache_info().misses
    for stock in range(5):
        wanted = {"min_stock": stock, "title": ["apple", "zebra", f"{stock}"]}
        await paginate(sqlite.reader, query, PageRequest(page=stock + 1), CODEC, filters=wanted)
    assert query.statement.cache_info().misses == built + 1
    await paginate(sqlite.reader, query, PageRequest(), CODEC, filters={"min_stock": 1})
    assert query.statement.cache_info().misses == built + 2


async def test_the_shapes_that_callers_can_make_are_bounded() -> None:
    query = toy_list()
    assert query.statement.cache_info().maxsize is not None
    assert query.count.cache_info().maxsize is not None
    widths = {query.bind({"title": [str(i) for i in range(n)]}).widths for n in range(1, 21)}
    assert widths == {(("title", width),) for width in (1, 2, 4, 8, 16, 32)}

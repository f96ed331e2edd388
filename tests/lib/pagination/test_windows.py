"""A list that looks at a number of rows and no further."""

from typing import Any

import pytest
from sqlalchemy import select

from app.lib.db.prepared import columns_of
from app.lib.pagination.filters import at_least, equals
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.query import ListQuery, Window
from app.lib.pagination.sorting import SortKey
from tests.lib.pagination.toys import CODEC, TOYS, ToyPage, ToyRead, ToyStore

COLUMNS = columns_of(ToyRead, TOYS.c, name=TOYS.c.title)


def listing(window: Window | None, counted_by: Any = None) -> ListQuery[ToyPage]:
    return ListQuery(
        "windowed",
        ToyPage,
        select(*COLUMNS),
        identity=TOYS.c.id,
        sorts=[SortKey("created_at", TOYS.c.created_at), SortKey("name", TOYS.c.title)],
        default_sort="-created_at",
        filters=[equals("is_active", TOYS.c.is_active), at_least("min_stock", TOYS.c.stock)],
        window=window,
        counted_by=counted_by,
    )


async def read(store: ToyStore, query: ListQuery[ToyPage], request: PageRequest, **options: Any) -> ToyPage:
    return await paginate(store.reader, query, request, CODEC, **options)


async def everything(store: ToyStore, **options: Any) -> list[ToyRead]:
    return (await read(store, listing(None), PageRequest(page_size=100), **options)).items


@pytest.mark.parametrize("sort", ["-created_at", "created_at", "name", "-name,created_at"])
async def test_it_ends_where_the_window_ends(store: ToyStore, sort: str) -> None:
    rows = await everything(store, sort=sort)
    attribute = sort.split(",", maxsplit=1)[0].removeprefix("-")
    edge = getattr(rows[9], attribute)
    within = [row for number, row in enumerate(rows) if number < 10 or getattr(row, attribute) == edge]

    page = await read(store, listing(Window(10)), PageRequest(page_size=100), sort=sort)

    assert page.items == within


async def test_it_moves_with_the_cursor(store: ToyStore) -> None:
    """Each page looks at as many rows as the first one, so a list that passes all of them is walked to its end."""
    rows, query = await everything(store), listing(Window(10))
    page = await read(store, query, PageRequest(page_size=5))
    found = list(page.items)
    while page.next_cursor is not None:
        page = await read(store, query, PageRequest(page=None, page_size=5, cursor=page.next_cursor))
        found += page.items

    assert found[: len(rows)] == rows[: len(found)]
    assert len(found) >= min(len(rows), 100)


async def test_its_own_filters_say_what_is_in_it(store: ToyStore) -> None:
    active = [row for row in await everything(store) if row.is_active]
    newest = (await everything(store))[:10]
    wanted = {"is_active": True}

    narrowed = await read(
        store, listing(Window(5, frozenset({"is_active"}))), PageRequest(page_size=100), filters=wanted
    )
    choosing = await read(store, listing(Window(10)), PageRequest(page_size=100), filters=wanted)

    assert narrowed.items[:5] == active[:5]
    assert {row.created_at for row in choosing.items} <= {row.created_at for row in newest}


async def test_a_window_along_another_order_bounds_the_count_too(store: ToyStore) -> None:
    rows = await everything(store)
    newest = [row for row in rows if row.created_at >= rows[9].created_at]
    query = listing(Window(10, along="-created_at"))

    page = await read(store, query, PageRequest(page_size=3), sort="name")

    assert page.total == len(newest)
    assert page.items == sorted(newest, key=lambda row: (row.name.encode(), row.id.bytes))[:3]


async def test_it_is_counted_by_the_whole_list(store: ToyStore) -> None:
    query = listing(Window(10), counted_by=listing(None))

    page = await read(store, query, PageRequest(page_size=3), filters={"min_stock": 0})

    assert page.total == (await read(store, listing(None), PageRequest(page_size=3), filters={"min_stock": 0})).total

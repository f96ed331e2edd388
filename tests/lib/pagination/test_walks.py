"""Whole lists, walked page by page and cursor by cursor, on both databases."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from tests.lib.pagination.toys import CODEC, ToyPage, ToyRead, ToyStore, in_order, make_rows

ORDERS = (
    "-created_at",
    "created_at",
    "title",
    "-title",
    "nick",
    "-nick",
    "-nick,-stock",
    "-title,created_at",
    "-stock,title",
    "is_active,-created_at,title",
    "id",
    "-id",
    "stock,-id",
)


async def fetch(
    store: ToyStore, sort: str | None = None, filters: dict[str, Any] | None = None, **place: Any
) -> ToyPage:
    return await paginate(store.reader, store.query, PageRequest(**place), CODEC, sort=sort, filters=filters)


async def walk(store: ToyStore, sort: str, page_size: int, filters: dict[str, Any] | None = None) -> list[UUID]:
    page = await fetch(store, sort, filters, page_size=page_size, include_total=False)
    seen = [toy.id for toy in page.items]
    while page.next_cursor is not None:
        page = await fetch(store, sort, filters, page=None, cursor=page.next_cursor, page_size=page_size)
        assert page.items
        seen.extend(toy.id for toy in page.items)
    return seen


@pytest.mark.parametrize("sort", ORDERS)
async def test_cursors_visit_each_row_once_in_order(store: ToyStore, sort: str) -> None:
    assert await walk(store, sort, page_size=97) == in_order(store.rows, sort)


@pytest.mark.parametrize("sort", ["nick", "-title,created_at"])
async def test_pages_visit_each_row_once_in_order(store: ToyStore, sort: str) -> None:
    pages = [await fetch(store, sort, page=number, page_size=100) for number in range(1, 21)]
    assert [toy.id for page in pages for toy in page.items] == in_order(store.rows, sort)
    assert [page.next_cursor is None for page in pages] == [False] * 19 + [True]


async def test_a_walk_of_one_row_at_a_time_survives_ties(store: ToyStore) -> None:
    few = {"title": ["😀 toy"], "is_active": True}
    expected = [row for row in store.rows if row["title"] == "😀 toy" and row["is_active"]]
    assert len(expected) > 20
    assert await walk(store, "-stock,title", page_size=1, filters=few) == in_order(expected, "-stock,title")


@pytest.mark.parametrize("sort", ["-created_at", "nick", "-stock,title"])
async def test_rows_that_come_during_a_walk_neither_hide_nor_repeat_others(store: ToyStore, sort: str) -> None:
    newcomers = make_rows(60, seed=8)
    page = await fetch(store, sort, page_size=100)
    seen = [toy.id for toy in page.items]
    while page.next_cursor is not None and newcomers:
        await store.insert(newcomers[-4:])
        page = await fetch(store, sort, page=None, cursor=page.next_cursor, page_size=100)
        seen.extend(toy.id for toy in page.items)
        del newcomers[-4:]
    try:
        strangers = {row["id"] for row in make_rows(60, seed=8)}
        assert [toy for toy in seen if toy not in strangers] == in_order(store.rows, sort)[
            : len(seen) - len(strangers & set(seen))
        ]
        assert len(seen) == len(set(seen)) > 1_400
    finally:
        await store.delete([row["id"] for row in make_rows(60, seed=8)])


async def test_a_key_that_rows_do_not_show_stays_hidden(store: ToyStore) -> None:
    page = await fetch(store, "-nick")
    assert {type(toy) for toy in page.items} == {ToyRead}
    assert b"nick" not in msgspec.json.encode(page)


async def test_a_cursor_goes_on_though_its_row_is_gone(store: ToyStore) -> None:
    expected = in_order(store.rows, "title")
    page = await fetch(store, "title", page_size=10)
    last = page.items[-1].id
    await store.delete([last])
    try:
        following = await fetch(store, "title", page=None, cursor=page.next_cursor, page_size=10)
    finally:
        await store.insert([row for row in store.rows if row["id"] == last])
    assert [toy.id for toy in following.items] == expected[10:20]

"""Totals and how many queries they cost."""

from typing import Any, TypeVar

from app.lib.db.prepared import Prepared
from app.lib.db.reader import Reader
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from tests.lib.pagination.toys import CODEC, ToyPage, ToyStore, in_order, make_rows

T = TypeVar("T")


async def fetch(store: ToyStore, filters: dict[str, Any] | None = None, **place: Any) -> ToyPage:
    store.statements.clear()
    return await paginate(store.reader, store.query, PageRequest(**place), CODEC, filters=filters)


def counts(store: ToyStore) -> tuple[int, int]:
    """Item queries and count queries of the last fetch."""
    counting = sum("count(*)" in sql for sql in store.statements)
    return len(store.statements) - counting, counting


async def test_the_first_page_costs_two_queries(store: ToyStore) -> None:
    page = await fetch(store)
    assert (page.total, page.total_capped, page.page, page.page_size, page.pages) == (2_000, False, 1, 20, 100)
    assert counts(store) == (1, 1)


async def test_a_first_page_that_is_not_full_needs_no_count(store: ToyStore) -> None:
    few = [row for row in store.rows if row["title"] == "apple" and row["stock"] == 3]
    assert 0 < len(few) < 100
    page = await fetch(store, {"title": "apple", "min_stock": 3, "max_stock": 3}, page_size=100)
    assert (page.total, page.pages, len(page.items), page.next_cursor) == (len(few), 1, len(few), None)
    assert counts(store) == (1, 0)


async def test_an_exactly_full_only_page_needs_no_count(store: ToyStore) -> None:
    few = [row for row in store.rows if row["title"] == "apple" and row["stock"] == 3]
    page = await fetch(store, {"title": "apple", "min_stock": 3, "max_stock": 3}, page_size=len(few))
    assert (page.total, page.pages, page.next_cursor) == (len(few), 1, None)
    assert counts(store) == (1, 0)


async def test_an_empty_list_needs_no_count(store: ToyStore) -> None:
    page = await fetch(store, {"title": "no such toy"})
    assert (page.items, page.total, page.pages, page.page, page.next_cursor) == ([], 0, 0, 1, None)
    assert counts(store) == (1, 0)


async def test_a_later_last_page_needs_no_count(store: ToyStore) -> None:
    page = await fetch(store, page=29, page_size=70)
    assert (page.total, page.pages, len(page.items), page.next_cursor) == (2_000, 29, 40, None)
    assert counts(store) == (1, 0)


async def test_a_page_past_the_end_is_empty_and_knows_the_total(store: ToyStore) -> None:
    page = await fetch(store, page=400)
    assert (page.items, page.total, page.pages, page.page, page.next_cursor) == ([], 2_000, 100, 400, None)
    assert counts(store) == (1, 1)


async def test_include_total_false_saves_the_count(store: ToyStore) -> None:
    page = await fetch(store, page=2, include_total=False)
    assert (page.total, page.total_capped, page.pages, page.page, len(page.items)) == (None, False, None, 2, 20)
    assert page.next_cursor is not None
    assert counts(store) == (1, 0)


async def test_by_cursor_nothing_is_counted_unless_asked(store: ToyStore) -> None:
    cursor = (await fetch(store)).next_cursor
    page = await fetch(store, page=None, cursor=cursor)
    assert (page.total, page.total_capped, page.pages, page.page, len(page.items)) == (None, False, None, None, 20)
    assert counts(store) == (1, 0)
    page = await fetch(store, page=None, cursor=cursor, include_total=True)
    assert (page.total, page.total_capped, page.pages, page.page) == (2_000, False, 100, None)
    assert counts(store) == (1, 1)


async def test_a_total_by_cursor_is_of_the_filtered_list(store: ToyStore) -> None:
    active = sum(row["is_active"] for row in store.rows)
    cursor = (await fetch(store, {"is_active": True})).next_cursor
    page = await fetch(store, {"is_active": True}, page=None, cursor=cursor, include_total=True)
    assert page.total == active


async def test_a_total_counts_to_ten_thousand(store: ToyStore) -> None:
    crowd = make_rows(8_001, seed=9)
    try:
        await store.insert(crowd[:8_000])
        page = await fetch(store)
        assert (page.total, page.total_capped, page.pages) == (10_000, False, 500)
        await store.insert(crowd[8_000:])
        page = await fetch(store)
        assert (page.total, page.total_capped, page.pages) == (10_000, True, 500)
        page = await fetch(store, page=100, page_size=100)
        assert (page.total, page.total_capped, page.pages, len(page.items)) == (10_000, True, 100, 100)
        last = await fetch(store, page=None, cursor=page.next_cursor, page_size=100)
        assert [toy.id for toy in last.items] == in_order(store.rows + crowd, "-created_at")[10_000:]
        # A last page that reaches past row 10 000 tells the total by itself, and is capped all the same.
        page = await fetch(store, page=334, page_size=30)
        assert (page.total, page.total_capped, page.pages, len(page.items)) == (10_000, True, 334, 11)
        assert counts(store) == (1, 0)
    finally:
        await store.delete([row["id"] for row in crowd])


class DeletingReader(Reader):
    """Reads like the store's own reader, while rows are deleted between two queries."""

    def __init__(self, store: ToyStore, doomed: list[dict[str, Any]]) -> None:
        driver: Any = store.reader  # which has all of a driver that a reader needs
        super().__init__(driver)
        self._store = store
        self._doomed = doomed

    async def first(self, prepared: Prepared[T], /, **values: Any) -> T | None:
        await self._store.delete([row["id"] for row in self._doomed])
        return await super().first(prepared, **values)


async def test_a_total_is_never_less_than_what_the_page_shows(store: ToyStore) -> None:
    rare = [{**row, "title": "rare"} for row in make_rows(30, seed=10)]
    await store.insert(rare)
    page = await paginate(DeletingReader(store, rare), store.query, PageRequest(), CODEC, filters={"title": "rare"})
    assert (len(page.items), page.total, page.pages) == (20, 21, 2)

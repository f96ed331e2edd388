"""Cursors: what comes back, and what must not pass."""

import base64
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib.errors import InvalidCursor
from app.lib.pagination.cursor import CursorCodec, cursor_context
from app.lib.pagination.envelope import MAX_CURSOR_LENGTH
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from tests.lib.pagination.toys import CODEC, START, ToyStore, toy_list

pytestmark = pytest.mark.asvs("9.1.1")

KINDS: dict[Any, st.SearchStrategy[Any]] = {
    datetime: st.datetimes(timezones=st.just(UTC)),
    UUID: st.uuids(),
    str: st.text(),
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
}
KEYS = st.lists(
    st.sampled_from(list(KINDS)).flatmap(
        lambda kind: st.tuples(st.just(kind), KINDS[kind]) | st.tuples(st.just(kind | None), st.none())
    ),
    min_size=1,
    max_size=4,
)
CONTEXT = cursor_context("toys", "-created_at,-id", {})


@given(keys=KEYS, context=st.binary())
def test_values_come_back_with_their_types(keys: list[tuple[Any, Any]], context: bytes) -> None:
    values = [value for _, value in keys]
    restored = CODEC.decode(context, CODEC.encode(context, values), tuple(kind for kind, _ in keys))
    assert list(restored) == values
    assert [type(value) for value in restored] == [type(value) for value in values]


@given(keys=KEYS, data=st.data())
def test_no_changed_character_passes(keys: list[tuple[Any, Any]], data: st.DataObject) -> None:
    cursor = CODEC.encode(CONTEXT, [value for _, value in keys])
    place = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.characters().filter(lambda character: character != cursor[place]))
    with pytest.raises(InvalidCursor):
        CODEC.decode(CONTEXT, cursor[:place] + other + cursor[place + 1 :], tuple(kind for kind, _ in keys))


@given(cursor=st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")))
def test_garbage_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        CODEC.decode(CONTEXT, cursor, (datetime, UUID))


@given(cut=st.integers(1, 30), more=st.text("Aa=-_", min_size=1, max_size=4))
def test_a_cursor_cut_short_or_made_longer_is_refused(cut: int, more: str) -> None:
    cursor = CODEC.encode(CONTEXT, [1])
    for changed in (cursor[:-cut], cursor + more):
        with pytest.raises(InvalidCursor):
            CODEC.decode(CONTEXT, changed, (int,))


def test_an_oversized_cursor_is_refused_unread() -> None:
    with pytest.raises(InvalidCursor):
        CODEC.decode(CONTEXT, CODEC.encode(CONTEXT, ["x" * MAX_CURSOR_LENGTH]), (str,))


def test_the_longest_keys_make_a_cursor_that_is_taken_back() -> None:
    values = ["😀" * 255] * 3 + [UUID(int=2**128 - 1)]
    cursor = CODEC.encode(CONTEXT, values)
    assert CODEC.decode(CONTEXT, cursor, (str, str, str, UUID)) == tuple(values)


def test_a_key_that_changed_its_type_is_an_invalid_cursor() -> None:
    with pytest.raises(InvalidCursor):
        CODEC.decode(CONTEXT, CODEC.encode(CONTEXT, ["text"]), (int,))


def test_another_secret_is_refused_unless_it_is_a_former_one() -> None:
    cursor = CursorCodec(b"old").encode(CONTEXT, [1])
    assert CursorCodec(b"new", [b"older", b"old"]).decode(CONTEXT, cursor, (int,)) == (1,)
    with pytest.raises(InvalidCursor):
        CursorCodec(b"new").decode(CONTEXT, cursor, (int,))


def test_a_context_has_one_form_and_different_lists_have_different_ones() -> None:
    filters: dict[str, list[object]] = {"title": ["a", "b"], "created_after": [START]}
    context = cursor_context("toys", "id", filters)
    elsewhere = START.astimezone(timezone(timedelta(hours=5)))
    assert cursor_context("toys", "id", {"created_after": [elsewhere], "title": ["b", "a"]}) == context
    others = [
        cursor_context("games", "id", filters),
        cursor_context("toys", "-id", filters),
        cursor_context("toys", "id", {**filters, "title": ["a"]}),
        cursor_context("toys", "id", {**filters, "title": ["ab", ""]}),
        cursor_context("toys", "id", {"title": ["a", "b"]}),
        cursor_context("toys", "id", {"name": ["a", "b"], "created_after": [START]}),
        cursor_context("toys", "id", {}),
    ]
    assert len({context, *others}) == len(others) + 1


async def page_with(store: ToyStore, cursor: str | None, **changed: Any) -> object:
    request = PageRequest(page=None if cursor else 1, cursor=cursor, page_size=changed.pop("page_size", 20))
    arguments: dict[str, Any] = {"sort": "-stock", "filters": {"title": ["apple", "zebra"]}, **changed}
    query = arguments.pop("query", store.query)
    codec = arguments.pop("codec", CODEC)
    page = await paginate(store.reader, query, request, codec, **arguments)
    return page.next_cursor


async def test_a_cursor_is_good_for_its_own_list_only(sqlite: ToyStore) -> None:
    cursor = await page_with(sqlite, None)
    assert isinstance(cursor, str)
    assert await page_with(sqlite, cursor, page_size=3) is not None
    assert await page_with(sqlite, cursor, filters={"title": ("zebra", "apple", "apple")}) is not None
    misuses: list[dict[str, Any]] = [
        {"sort": "stock"},
        {"sort": None},
        {"sort": "-stock,title"},
        {"filters": {"title": "apple"}},
        {"filters": {}},
        {"filters": {"title": ["apple", "zebra"], "is_active": True}},
        {"query": toy_list("other toys")},
        {"codec": CursorCodec(b"another secret")},
    ]
    for misuse in misuses:
        with pytest.raises(InvalidCursor):
            await page_with(sqlite, cursor, **misuse)


async def test_a_refused_cursor_reaches_no_database(sqlite: ToyStore) -> None:
    sqlite.statements.clear()
    with pytest.raises(InvalidCursor):
        await page_with(sqlite, "AAAA")
    assert sqlite.statements == []


async def test_both_databases_make_the_same_cursors(sqlite: ToyStore, on_postgresql: ToyStore) -> None:
    assert await page_with(sqlite, None) == await page_with(on_postgresql, None)

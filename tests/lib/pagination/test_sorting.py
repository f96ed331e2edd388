"""The closed list of sort keys."""

import re
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.lib.errors import ValidationFailed
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import Sort, SortKey, parse_sort, sort_parameter
from tests.lib.pagination.toys import TOYS, ToyPage, toy_list

KEYS = ("created_at", "created", "title", "stock")


def test_keys_directions_and_default() -> None:
    assert parse_sort("-created_at,title", KEYS, "stock") == (Sort("created_at", descending=True), Sort("title"))
    assert parse_sort(None, KEYS, "-stock") == (Sort("stock", descending=True),)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("password_hash", "invalid_choice"),
        ("", "invalid_choice"),
        ("-", "invalid_choice"),
        ("--title", "invalid_choice"),
        ("title,", "invalid_choice"),
        (" title", "invalid_choice"),
        ("TITLE", "invalid_choice"),
        ("title,title", "invalid_choice"),
        ("title,-title", "invalid_choice"),
        ("title,stock,created_at,created", "too_long"),
        ("title," * 100_000, "too_long"),
    ],
)
def test_everything_else_is_refused(raw: str, code: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        parse_sort(raw, KEYS, "title")
    (error,) = caught.value.errors
    assert (error.parameter, error.code) == ("sort", code)
    assert "password" not in error.detail


@given(st.lists(st.sampled_from(["", "-"]).flatmap(lambda sign: st.sampled_from(KEYS).map(sign.__add__)), max_size=4))
def test_the_documented_pattern_says_what_is_accepted(words: list[str]) -> None:
    raw = ",".join(words)
    documented = sort_parameter(KEYS, "title").schema_extra or {}
    matches = bool(re.search(documented["pattern"], raw))
    try:
        parse_sort(raw, KEYS, "title")
    except ValidationFailed:  # the pattern cannot say that a key is there once: not all engines have back-references
        assert not matches or len({word.removeprefix("-") for word in words}) < len(words)
    else:
        assert matches
        assert len(raw) <= documented["maxLength"]


@pytest.mark.parametrize("raw", ["titles", "xtitle", "title;", "title\n", "title stock", "creat", "title,,stock"])
def test_the_documented_pattern_refuses_near_misses(raw: str) -> None:
    documented = sort_parameter(KEYS, "title").schema_extra or {}
    # ECMA 262's $ is the very end, Python's also the place before a last line feed.
    assert not re.search(documented["pattern"].replace("$", r"\Z"), raw)


def test_the_id_settles_ties_in_the_direction_of_the_last_key() -> None:
    query = toy_list()
    assert query.order("-stock,title") == (Sort("stock", descending=True), Sort("title"), Sort("id"))
    assert query.order("-title")[-1] == Sort("id", descending=True)
    assert query.order("-id") == (Sort("id", descending=True),)
    assert query.order("id,stock") == (Sort("id"), Sort("stock"))


def test_a_nullable_column_is_no_sort_key_until_it_is_coalesced() -> None:
    with pytest.raises(ValueError, match="may be NULL"):
        SortKey("nick", TOYS.c.nick)
    SortKey("nick", func.coalesce(TOYS.c.nick, ""))


@pytest.mark.parametrize("default_sort", ["-nope", "", "stock,stock"])
def test_a_list_with_an_impossible_default_does_not_come_to_be(default_sort: str) -> None:
    with pytest.raises(ValidationFailed):
        ListQuery(
            "toys",
            ToyPage,
            select(TOYS.c.id),
            identity=TOYS.c.id,
            sorts=[SortKey("stock", TOYS.c.stock)],
            default_sort=default_sort,
        )


def test_columns_that_are_not_the_fields_of_the_row_are_refused_at_once() -> None:
    with pytest.raises(TypeError, match="do not match"):
        ListQuery(
            "toys",
            ToyPage,
            select(TOYS.c.id, TOYS.c.created_at, func.upper(TOYS.c.title), TOYS.c.stock, TOYS.c.is_active),
            identity=TOYS.c.id,
            sorts=[SortKey("created_at", TOYS.c.created_at)],
            default_sort="created_at",
        )


def test_only_column_expressions_sort() -> None:
    with pytest.raises(TypeError, match="no column expression"):
        SortKey("title", cast("Any", "title"))

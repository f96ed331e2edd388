"""Statements that SQLAlchemy spells differently for the two databases."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Delete,
    Table,
    Text,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql

from app.lib.db.base import Base
from app.lib.db.functions import DialectFunction


def insert_or_update(into: type[Base] | Table) -> postgresql.Insert:
    """An INSERT with ``on_conflict_do_nothing`` and ``on_conflict_do_update``. Both databases have the same syntax, and
    SQLAlchemy's class for PostgreSQL compiles for SQLite, too.
    """
    return postgresql.insert(into)


BATCH = 1_000
"""Rows that a :func:`delete_batch` deletes at most: milliseconds, however much there is to delete."""


def delete_batch(
    table: Table, *conditions: ColumnElement[bool], limit: int = BATCH, all_of_them: bool = False
) -> Delete:
    """Deletes up to ``limit`` of the rows that meet the conditions, in any order; what others have locked is left for
    the next time, or waited for with ``all_of_them``. Run it again, each time in a transaction of its own, until it
    finds none: one statement for a million rows would be cut off by the statement timeout, every time. Prepare it,
    because sessions do not count it.
    """
    return delete(table).where(in_batch(table, *conditions, limit=limit, skip_locked=not all_of_them))


def in_batch(
    table: Table, *conditions: ColumnElement[bool], limit: int = BATCH, skip_locked: bool = False
) -> ColumnElement[bool]:
    """Among up to ``limit`` rows that meet the conditions, which are locked: for an update or delete of these."""
    key = table.primary_key.columns
    found = select(*key).where(*conditions).limit(limit).with_for_update(skip_locked=skip_locked)
    # As a subquery PostgreSQL may run it for every row, and then there is no limit.
    return tuple_(*key).in_(select(found.cte("found")))


class is_one_of(DialectFunction[bool]):  # noqa: N801 - reads like the SQL operator that it is
    """That a column of texts has one of the values of a :func:`json_list`, which the named parameter brings.

    One parameter however long the list is, so that the statement can be prepared once.
    """

    type = Boolean()
    postgresql = "{0} IN (SELECT json_array_elements_text(CAST({1} AS JSON)))"
    sqlite = "{0} IN (SELECT value FROM json_each({1}))"

    def __init__(self, column: ColumnElement[Any], parameter: str) -> None:
        super().__init__(column, bindparam(parameter, type_=Text()))


def json_list(values: Iterable[str]) -> str:
    """The parameter of :class:`is_one_of`."""
    return msgspec.json.encode(list(values)).decode()


class json_array(DialectFunction[Any]):  # noqa: N801 - reads like the SQL function that it is
    """``json_array(a, b, …)``: the values as a JSON array."""

    postgresql = "json_build_array({all})"
    sqlite = "json_array({all})"


class next_number(DialectFunction[int]):  # noqa: N801 - reads like the SQL function that it is
    """The next number of an ``Identity`` column, for the values of an insert. No number is given twice, and no insert
    waits for another: PostgreSQL draws it outside the transaction, so one that is rolled back leaves a gap; SQLite has
    one writer, and takes the largest of the table plus one.
    """

    type = BigInteger()
    postgresql = "DEFAULT"
    sqlite = "{0}"

    def __init__(self, column: Column[int]) -> None:
        if column.identity is None or column.identity.start is None:
            raise TypeError(f"{column} is no identity with a start")
        first: ColumnElement[int] = literal_column(str(column.identity.start))
        super().__init__(select(func.coalesce(func.max(column) + 1, first)).scalar_subquery())


class json_pairs(DialectFunction[Any]):  # noqa: N801 - reads like the SQL function that it is
    """The members of a JSON object as rows of ``key`` and ``value``."""

    postgresql = "json_each_text(CAST({0} AS JSON))"
    sqlite = "json_each({0})"

"""Sort keys: what a list may be sorted by, and how a caller says so."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from litestar.params import QueryParameter
from sqlalchemy import ColumnClause, ColumnElement, SQLColumnExpression
from sqlalchemy.orm import QueryableAttribute

from app.lib.errors import FieldCode, FieldError, ValidationFailed

MAX_SORT_KEYS = 3


@dataclass(frozen=True, slots=True)
class Sort:
    """One key of an order, ascending unless ``descending``."""

    key: str
    descending: bool = False

    def __str__(self) -> str:
        return f"-{self.key}" if self.descending else self.key


class SortKey:
    """A name that a list may be sorted by, and the expression behind it.

    The expression must never be NULL, because NULL sorts first on one database and last on the other and no
    comparison finds it: coalesce nullable columns. Text has to compare byte by byte (``sortable_text``).
    ``python_type`` is what rows hold and what a cursor restores, by default what the column's type says. Values travel
    in cursors, which callers can read.
    """

    __slots__ = ("expression", "name", "python_type")

    def __init__(self, name: str, expression: SQLColumnExpression[Any], python_type: Any = None) -> None:
        self.name = name
        self.expression = as_element(expression)
        self.python_type = python_type or self.expression.type.python_type
        if getattr(self.expression, "nullable", False) and isinstance(self.expression, ColumnClause):
            raise ValueError(f"sort key {name!r} may be NULL: coalesce its column")


def as_element(expression: SQLColumnExpression[Any]) -> ColumnElement[Any]:
    """The Core expression behind a mapped attribute; Core expressions as they are."""
    element = expression.__clause_element__() if isinstance(expression, QueryableAttribute) else expression
    if not isinstance(element, ColumnElement):
        raise TypeError(f"{expression!r} is no column expression")
    return element


def parse_sort(raw: str | None, allowed: Collection[str], default: str) -> tuple[Sort, ...]:
    """The order that ``sort=-created_at,title`` asks for; ``default`` when nothing is asked.

    Raises ``ValidationFailed`` for more than three keys, for a key given twice and for one that is not allowed.
    """
    words = (raw if raw is not None else default).split(",", MAX_SORT_KEYS)
    order = tuple(Sort(word.removeprefix("-"), word.startswith("-")) for word in words)
    names = [each.key for each in order]
    code, detail = FieldCode.INVALID_CHOICE, ""
    if len(words) > MAX_SORT_KEYS:
        code, detail = FieldCode.TOO_LONG, f"At most {MAX_SORT_KEYS} keys."
    elif not all(name in allowed for name in names):
        detail = f"Must be among: {', '.join(allowed)}."
    elif len(set(names)) < len(names):
        detail = "Each key may be given once."
    if detail:
        raise ValidationFailed([FieldError(parameter="sort", code=code, detail=detail)])
    return order


@dataclass(frozen=True)
class SortParameter(QueryParameter):
    """A query parameter whose ``check`` raises ``ValidationFailed`` for an order that the list does not know."""

    keys: tuple[str, ...] = ()

    def check(self, value: str) -> None:
        parse_sort(value, self.keys, value)


def sort_parameter(keys: Iterable[str], default: str) -> QueryParameter:
    """Describes a route's ``sort`` parameter with its closed list of keys.

    Use it as ``sort: Annotated[str | None, sort_parameter(KEYS, "-created_at")] = None``. The pattern is
    documentation only: ``parse_sort`` checks, because it can say which keys there are.
    """
    names = tuple(keys)
    key = f"-?(?:{'|'.join(map(re.escape, names))})"
    longest = sorted(map(len, names), reverse=True)[:MAX_SORT_KEYS]
    return SortParameter(
        keys=names,
        description=(
            f"Comma-separated keys, at most {MAX_SORT_KEYS}, each once; '-' before a key sorts downwards. "
            f"Keys: {', '.join(f'`{name}`' for name in names)}. Default: `{default}`."
        ),
        schema_extra={
            "default": default,
            "pattern": rf"^{key}(?:,{key}){{0,{MAX_SORT_KEYS - 1}}}$",
            "maxLength": sum(longest) + 2 * len(longest) - 1,
        },
    )

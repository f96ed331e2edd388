"""Declarative filters: a repository lists them once, and the WHERE is made of those that a request names."""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import msgspec
from sqlalchemy import BindParameter, ColumnElement, SQLColumnExpression, bindparam
from sqlalchemy.types import TypeEngine

from app.lib.db.base import Entity
from app.lib.db.prepared import pad_to_power_of_two
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.pagination.sorting import as_element
from app.lib.text import casefold_key
from app.lib.wire.field_errors import FieldProblem
from app.lib.wire.fields import to_utc

MAX_FILTER_VALUES = 20
_LIKE_ESCAPE = "/"

Clause = Callable[[Sequence[BindParameter[Any]]], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Filter:
    """A named filter: its clause over bind parameters, and how a given value becomes a bound one.

    ``convert`` may raise ``FieldProblem``. A ``repeatable`` filter takes several values and matches any of them.
    """

    name: str
    type_: TypeEngine[Any]
    clause: Clause
    convert: Callable[[Any], Any] | None = None
    repeatable: bool = False

    def where(self, width: int) -> ColumnElement[bool]:
        """The clause over ``width`` bind parameters."""
        return self.clause([bindparam(name, type_=self.type_) for name in self.bind_names(width)])

    def bind_names(self, width: int) -> list[str]:
        return [f"filter_{self.name}_{i}" for i in range(width)]

    def values(self, given: Any) -> list[Any]:
        """What to bind for what a request gives, each value once. Raises ``ValidationFailed``."""
        many = _collection(given) if self.repeatable else None
        code, detail = FieldCode.TOO_LONG, f"At most {MAX_FILTER_VALUES} values."
        try:
            values = list(dict.fromkeys(map(self._convert, [given] if many is None else many)))
            if len(values) <= MAX_FILTER_VALUES:
                return values
        except FieldProblem as problem:
            code, detail = problem.code, problem.detail
        raise ValidationFailed([FieldError(parameter=self.name, code=code, detail=detail)])

    def _convert(self, value: Any) -> Any:
        if isinstance(value, str) and "\0" in value:  # PostgreSQL has no text with a NUL and refuses the statement
            raise FieldProblem(FieldCode.INVALID_FORMAT, "Must not contain the NUL character.")
        return value if self.convert is None else self.convert(value)


def equals(name: str, column: SQLColumnExpression[Any]) -> Filter:
    """The column has the value, or any of the values."""
    element = as_element(column)

    def clause(binds: Sequence[BindParameter[Any]]) -> ColumnElement[bool]:
        return element == binds[0] if len(binds) == 1 else element.in_(binds)

    return Filter(name, element.type, clause, repeatable=True)


def _bound(
    compare: Callable[[Any, Any], Any], convert: Callable[[Any], Any] | None = None
) -> Callable[[str, SQLColumnExpression[Any]], Filter]:
    def make(name: str, column: SQLColumnExpression[Any]) -> Filter:
        element = as_element(column)
        return Filter(name, element.type, lambda binds: compare(element, binds[0]), convert)

    return make


def _instant(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise FieldProblem(FieldCode.INVALID_FORMAT, "Must have a time zone: an offset or 'Z'.")
    return to_utc(value)


after = _bound(operator.ge, _instant)
"""The instant or later; for ``*_after``."""
before = _bound(operator.lt, _instant)
"""Earlier than the instant; for ``*_before``, so that intervals meet without an overlap."""
at_least = _bound(operator.ge)
"""The value or more; for ``min_*``."""
at_most = _bound(operator.le)
"""The value or less; for ``max_*``."""


def between(name: str, column: SQLColumnExpression[Any]) -> tuple[Filter, Filter]:
    """``<name>_after`` and ``<name>_before``. One list's end is the next one's beginning, so neither misses a row."""
    return after(f"{name}_after", column), before(f"{name}_before", column)


def times(entity: type[Entity]) -> tuple[Filter, ...]:
    """What a list takes that integrations copy; its route takes ``times: Times``, and it sorts by ``updated_at``."""
    return *between("created", entity.created_at), *between("updated", entity.updated_at)


def contains(name: str, column: SQLColumnExpression[Any]) -> Filter:
    """The text occurs in the column; for ``q``. Wildcards are literal.

    The column holds what :func:`casefold_key` made, as databases differ in what they call a case.
    """
    element = as_element(column)
    return Filter(
        name,
        element.type,
        lambda binds: element.like(binds[0], escape=_LIKE_ESCAPE),
        lambda text: f"%{escape_like(casefold_key(text))}%",
    )


def custom(name: str, type_: TypeEngine[Any], clause: Clause, *, repeatable: bool = False) -> Filter:
    """Any other clause, made from one bind parameter of ``type_``, or from up to 32 where ``repeatable``."""
    return Filter(name, type_, clause, repeatable=repeatable)


def escape_like(text: str) -> str:
    """Text that LIKE takes literally, with ``/`` as the escape character."""
    for special in (_LIKE_ESCAPE, "%", "_"):
        text = text.replace(special, _LIKE_ESCAPE + special)
    return text


class BoundFilters:
    """The filters that a request names, with their values.

    ``widths`` is the part of a statement's shape that they make: names and numbers of bind parameters.
    ``given`` are the values by filter, as a cursor is bound to them.
    """

    __slots__ = ("given", "parameters", "widths")

    def __init__(self, declared: Mapping[str, Filter], wanted: Mapping[str, Any]) -> None:
        """Raises ``ValidationFailed`` with all that is wrong, and ``KeyError`` for a filter that is not declared.

        None, ``UNSET`` and an empty sequence mean that a filter is absent.
        """
        self.given: dict[str, list[Any]] = {}
        self.parameters: dict[str, Any] = {}
        errors: list[FieldError] = []
        for name, value in wanted.items():
            if value is None or value is msgspec.UNSET or _collection(value) == []:
                continue
            try:
                self.given[name] = declared[name].values(value)
            except ValidationFailed as failed:
                errors.extend(failed.errors)
        if errors:
            raise ValidationFailed(errors)
        widths: list[tuple[str, int]] = []
        for name in declared:
            if name in self.given:
                values = pad_to_power_of_two(self.given[name])
                self.parameters.update(zip(declared[name].bind_names(len(values)), values, strict=True))
                widths.append((name, len(values)))
        self.widths = tuple(widths)


def _collection(value: Any) -> list[Any] | None:
    return list(cast("Iterable[Any]", value)) if isinstance(value, (list, tuple, set, frozenset)) else None

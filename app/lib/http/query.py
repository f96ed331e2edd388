"""Query parameters: only known ones, single ones once, each spelled as its type says.

Litestar takes the last of several values, and reads ``1.0`` as an integer, ``1`` as an instant and ``null`` as
absent. A client that sends such things means something else, so they are refused.
"""

import functools
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import parse_qs

import msgspec
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler

from app.lib.errors import FieldCode, FieldError, UnknownParameter, ValidationFailed
from app.lib.wire.field_errors import MAX_ERRORS, explain

_INSTANT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
_NOT_AN_INSTANT = "Must be an instant with its time zone, such as 2026-01-31T12:00:00Z."

_IGNORES_UNKNOWN = "ignores_unknown_parameters"
PASSED_ON: Mapping[str, Any] = {_IGNORES_UNKNOWN: True}
"""Spread into a handler's ``opt`` whose link people pass on, because others add parameters of their own to it, such as
``utm_source``.
"""

Fault = tuple[FieldCode, str]
Spelling = tuple[re.Pattern[str], Fault]
"""How a value of a type is written, and what to say of one that is not."""

_SPELLINGS: Mapping[Any, Spelling] = {
    bool: (re.compile(r"true|false|1|0", re.IGNORECASE), (FieldCode.INVALID_TYPE, "Must be true or false.")),
    int: (re.compile(r"-?(?:0|[1-9][0-9]*)"), (FieldCode.INVALID_TYPE, "Must be an integer.")),
    datetime: (re.compile(_INSTANT), (FieldCode.INVALID_FORMAT, _NOT_AN_INSTANT)),
}

Check = Callable[[str], object]
"""Raises ``ValidationFailed`` for a value that the parameter's type allows and its meaning does not."""


class QueryParameterRule(msgspec.Struct, frozen=True):
    """What one parameter takes. ``type`` is as msgspec converts it, with its bounds, and never None."""

    repeatable: bool
    spelling: Spelling | None
    type: Any = str
    check: Check | None = None
    opaque: bool = False
    """Only the service knows how it is spelled, so it checks that itself."""

    def misspelled(self, values: list[str]) -> Fault | None:
        """What is wrong with values as they are written, which Litestar would overlook."""
        if len(values) > 1 and not self.repeatable:
            return FieldCode.INVALID_FORMAT, "Must be given once."
        for value in () if self.opaque else values:
            if "\0" in value or "\ufffd" in value:
                return FieldCode.INVALID_FORMAT, "Must be text in UTF-8 without NUL."
            if self.spelling is not None and not self.spelling[0].fullmatch(value):
                return self.spelling[1]
        return self.refused(values) if values[0].lower() == "null" else None

    def refused(self, values: list[str]) -> Fault | None:
        """What is wrong with well-spelled values: bounds, choices, and what ``check`` says."""
        try:
            msgspec.convert(values if self.repeatable else values[0], self.type, strict=False)
            if self.check is not None:
                self.check(values[0])
        except msgspec.ValidationError as error:
            return explain(error)[:2]
        except ValidationFailed as failed:
            return failed.errors[0].code, failed.errors[0].detail
        return None


class QueryRules(msgspec.Struct, frozen=True):
    """The parameters that a handler and its dependencies take, by name."""

    parameters: Mapping[str, QueryParameterRule]
    ignores_unknown: bool = False

    def check(self, raw: bytes) -> None:
        """What Litestar would overlook. Bounds and types are its business.

        Raises ``UnknownParameter`` (400) naming all unknown ones, or ``ValidationFailed`` (422) with all errors.
        """
        given = _values_by_name(raw)
        unknown = [name for name in given if name not in self.parameters]
        if unknown and not self.ignores_unknown:
            raise UnknownParameter(unknown)
        if any(rule.misspelled(given[name]) for name, rule in self.parameters.items() if name in given):
            raise ValidationFailed(self.errors(raw))

    def errors(self, raw: bytes) -> list[FieldError]:
        """Everything that is wrong with the known parameters of a query, one error for each, in their order."""
        found: list[FieldError] = []
        for name, values in _values_by_name(raw).items():
            rule = self.parameters.get(name)
            if rule is not None and (fault := rule.misspelled(values) or rule.refused(values)):
                found.append(FieldError(parameter=name, code=fault[0], detail=fault[1]))
        return found[:MAX_ERRORS]


def _values_by_name(raw: bytes) -> dict[str, list[str]]:
    # As Litestar reads it. A value with unescaped octets beyond ASCII is refused.
    return parse_qs(raw.decode("latin-1"), keep_blank_values=True)


def query_rules(handler: HTTPRouteHandler, parameters: Iterable[Any]) -> QueryRules:
    """The rules for Litestar's list of a handler's query parameters, those of its dependencies included."""
    parameters = list(parameters)
    wanted = {each.field_name for each in parameters}
    types: dict[str, Any] = {}
    checks: dict[str, Check | None] = {}
    owners: list[HTTPRouteHandler | Provide] = [handler, *handler.resolve_dependencies().values()] if wanted else []
    for owner in owners:
        for name in wanted & owner.parsed_fn_signature.parameters.keys():
            types[name] = _without_none(owner.signature_model.__annotations__[name])
            checks[name] = getattr(owner.parsed_fn_signature.parameters[name].kwarg_definition, "check", None)
    return QueryRules(
        {
            each.field_alias: QueryParameterRule(
                each.is_sequence,
                _SPELLINGS.get(_single(types[each.field_name])),
                types[each.field_name],
                checks[each.field_name],
                opaque=each.field_alias == "cursor",
            )
            for each in parameters
        },
        ignores_unknown=handler.opt.get(_IGNORES_UNKNOWN, False),
    )


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) not in {Union, UnionType}:
        return annotation
    return functools.reduce(operator.or_, [each for each in get_args(annotation) if each is not NoneType])


def _single(annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {Annotated, list, tuple, set, frozenset} and arguments:
        return _single(arguments[0])
    return annotation

"""Query parameters: only known ones, single ones once, each spelled as its type says.

Litestar takes the last of several values and reads ``1.0`` as an integer and ``1`` as an instant. A client that
sends such things means something else, so it is told.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec
from litestar.handlers import HTTPRouteHandler

from app.lib.errors import FieldCode, FieldError, UnknownParameter, ValidationFailed

_MAX_ERRORS = 50
_BOOLEAN = re.compile(r"true|false|1|0", re.IGNORECASE)
_INTEGER = re.compile(r"-?[0-9]+")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class Spelling(msgspec.Struct, frozen=True):
    """How a value of a type is written, and what to say of one that is not."""

    pattern: re.Pattern[str]
    code: FieldCode
    detail: str


_SPELLINGS: Mapping[Any, Spelling] = {
    bool: Spelling(_BOOLEAN, FieldCode.INVALID_TYPE, "Must be true or false."),  # msgspec reads "null" as absent
    int: Spelling(_INTEGER, FieldCode.INVALID_TYPE, "Must be an integer."),
    datetime: Spelling(
        _INSTANT, FieldCode.INVALID_FORMAT, "Must be an instant with its time zone, such as 2026-01-31T12:00:00Z."
    ),
}


class QueryParameterRule(msgspec.Struct, frozen=True):
    """What one parameter takes."""

    repeatable: bool
    spelling: Spelling | None


class QueryRules(msgspec.Struct, frozen=True):
    """The parameters that a handler and its dependencies take, by name."""

    parameters: Mapping[str, QueryParameterRule]

    def check(self, raw: bytes) -> None:
        """Raises ``UnknownParameter`` (400) naming all unknown ones, or ``ValidationFailed`` (422)."""
        # As Litestar reads it; whoever sends octets beyond ASCII unescaped gets them refused with the value.
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
        if unknown := list(dict.fromkeys(name for name, _ in pairs if name not in self.parameters)):
            raise UnknownParameter(unknown)
        errors: dict[str, FieldError] = {}
        seen: set[str] = set()
        for name, value in pairs:
            if name not in errors and (found := self._fault(name, value, again=name in seen)):
                errors[name] = FieldError(parameter=name, code=found[0], detail=found[1])
            seen.add(name)
        if errors:
            raise ValidationFailed(list(errors.values())[:_MAX_ERRORS])

    def _fault(self, name: str, value: str, *, again: bool) -> tuple[FieldCode, str] | None:
        rule = self.parameters[name]
        if again and not rule.repeatable:
            return FieldCode.INVALID_FORMAT, "Must be given once."
        if "\0" in value or "\ufffd" in value:
            return FieldCode.INVALID_FORMAT, "Must be text in UTF-8 without NUL."
        if rule.spelling is not None and not rule.spelling.pattern.fullmatch(value):
            return rule.spelling.code, rule.spelling.detail
        return None


def query_rules(handler: HTTPRouteHandler, parameters: Iterable[Any]) -> QueryRules:
    """The rules for Litestar's list of a handler's query parameters, those of its dependencies included."""
    types = _annotations(handler)
    return QueryRules(
        {
            each.field_alias: QueryParameterRule(each.is_sequence, _SPELLINGS.get(types.get(each.field_name)))
            for each in parameters
        }
    )


def _annotations(handler: HTTPRouteHandler) -> dict[str, Any]:
    """The types of all parameters by their name in Python, without None and lists around them."""
    signatures = [handler.parsed_fn_signature]
    signatures += [provider.parsed_fn_signature for provider in handler.resolve_dependencies().values()]
    return {name: _single(field.annotation) for signature in signatures for name, field in signature.parameters.items()}


def _single(annotation: Any) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {Union, UnionType}:
        kept = [each for each in arguments if each is not NoneType]
        return _single(kept[0]) if len(kept) == 1 else None
    if origin in {Annotated, list, tuple, set, frozenset} and arguments:
        return _single(arguments[0])
    return annotation

"""Strict decoding of what clients send: either a value that obeys its type, or every error in it.

A body that is fine costs one pass of msgspec's decoder. Only a body that is not is taken apart again to find
all errors with their places (:mod:`app.lib.wire.shapes`), so a reply names them together.

No input raises anything but an :class:`~app.lib.errors.AppError`: broken JSON, broken UTF-8, lone surrogates,
endless nesting and numbers that fit nowhere included.
"""

import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from litestar.exceptions import ValidationException

from app.lib.errors import FieldCode, FieldError, MalformedJSON, ValidationFailed
from app.lib.wire.field_errors import (
    FieldProblem,
    Finding,
    Findings,
    Path,
    explain_message,
    pointer_from_dotted,
)
from app.lib.wire.shapes import Check, Hint, has_checks
from app.lib.wire.type_shapes import shape_of

__all__ = ["Check", "FieldProblem", "Hint", "convert", "decode_json", "litestar_errors"]

T = TypeVar("T")

_ESCAPED_NUL = b"\\u0000"
_REAL_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_BODY_REQUIRED = FieldError(pointer="", code=FieldCode.REQUIRED, detail="A request body is required.")
_MAX_SEARCHED = 10_000
_TOO_DEEP = "The request body is nested too deeply."


class _Plan:
    """What is known about a type before the first body arrives."""

    __slots__ = ("checked", "decode", "shape", "type")

    def __init__(self, type_: Any) -> None:
        self.type = type_
        self.decode = msgspec.json.Decoder(type_).decode
        self.shape = shape_of(type_)
        self.checked = has_checks(self.shape)

    def finish(self, value: Any) -> Any:
        """Runs the checks that the type cannot say."""
        if self.checked:
            findings = Findings()
            value = self.shape.refine(value, None, findings)
            _refuse(findings)
        return value


@cache
def _plan(type_: Any) -> _Plan:
    return _Plan(type_)


def decode_json(raw: bytes, type_: type[T]) -> T:
    """Decodes a JSON text strictly: no value is bent to fit its type.

    A string with U+0000 is refused wherever it is, because databases do not keep it, and so is a JSON number
    where a ``Decimal`` is expected. Of members with the same name in one object the last one counts.

    Raises ``MalformedJSON`` (400) for what is no JSON in UTF-8 and ``ValidationFailed`` (422), with all field
    errors, for what does not fit the type.
    """
    try:
        value: T = _decode_json(raw, _plan(cast("Any", type_)))
    except RecursionError:
        raise MalformedJSON(_TOO_DEEP) from None
    return value


def _decode_json(raw: bytes, plan: _Plan) -> Any:
    first: Exception | None = None
    if not plan.shape.has_decimals and not _has_nul(raw):
        try:
            value = plan.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, ValidationFailed) as raised:
            first = raised
        else:
            return plan.finish(value)
    _refuse(_findings_in_json(raw, plan, first))
    return plan.finish(plan.decode(raw))


def _findings_in_json(raw: bytes, plan: _Plan, first: Exception | None) -> Findings:
    findings = Findings()
    try:
        value = msgspec.json.decode(raw)
    except msgspec.ValidationError as out_of_range:  # a number that not even Python's own types hold
        findings.add_raised(None, first if isinstance(first, msgspec.ValidationError) else out_of_range)
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        raise _malformed(raw, broken) from None
    else:
        plan.shape.examine(value, None, findings, strict=True)
        if _has_nul(raw):
            _refuse_nul(value, findings, _MAX_SEARCHED)
        if first and not findings:  # the fault was in a member that occurs again, of which the last one counts here
            findings.add_raised(None, first)
    return findings


def _has_nul(raw: bytes) -> bool:
    return _ESCAPED_NUL in raw and _REAL_NUL.search(raw) is not None


def _malformed(raw: bytes, broken: Exception) -> Exception:
    if not raw.strip():
        return ValidationFailed([_BODY_REQUIRED])
    place = re.search(r"\(byte \d+\)", str(broken))
    return MalformedJSON(f"The request body is not valid JSON in UTF-8 {place[0]}." if place else None)


def convert(value: Any, type_: type[T], *, strict: bool) -> T:
    """Makes a value of a type from dicts, lists and scalars, by the rules and with the errors of :func:`decode_json`.

    ``strict=False`` reads numbers, booleans and null from strings, as a form needs it.
    """
    plan = _plan(cast("Any", type_))
    try:
        converted: T = _convert(value, plan, strict=strict)
    except RecursionError:
        raise MalformedJSON(_TOO_DEEP) from None
    return converted


def _convert(value: Any, plan: _Plan, *, strict: bool) -> Any:
    converted: Any = None
    first: Exception | None = None
    try:
        converted = msgspec.convert(value, plan.type, strict=strict, str_keys=True)
    except (msgspec.ValidationError, ValidationFailed) as raised:
        first = raised
    findings = Findings()
    if first or plan.shape.has_decimals:
        plan.shape.examine(value, None, findings, strict=strict)
    _refuse_nul(value, findings, sys.maxsize)
    _refuse(findings)
    return plan.finish(converted)


def _refuse(findings: Findings) -> None:
    if findings:
        raise ValidationFailed(findings.errors)


def _refuse_nul(value: Any, findings: Findings, limit: int) -> None:
    for path in _strings_with_nul(value, limit):
        findings.add(path, FieldCode.INVALID_FORMAT, "Must not have the character U+0000.")


def _strings_with_nul(value: Any, limit: int) -> Iterator[Path]:
    """Where U+0000 is; the body itself when more than ``limit`` values would have to be looked at to tell."""
    waiting: list[tuple[Path, Any]] = [(None, value)]
    while waiting:
        path, current = waiting.pop()
        if isinstance(current, str):
            if "\0" in current:
                yield path
        elif isinstance(current, dict | list):
            container = cast("dict[str, Any] | list[Any]", current)
            limit -= len(container)
            if limit < 0:
                yield None
                return
            items = container.items() if isinstance(container, dict) else enumerate(container)
            for key, item in items:
                if "\0" in str(key):
                    yield (path, key)
                waiting.append(((path, key), item))


_MISSING_PARAMETER = re.compile(r"Missing required (\w+) parameter '([^']*)'")


def litestar_errors(raised: ValidationException) -> list[FieldError]:
    """The field errors of what Litestar itself found wrong: query, path, header and cookie parameters, a missing body.

    Litestar reports all parameters that do not fit their types, but only the first one that is missing.
    """
    if missing := _MISSING_PARAMETER.match(raised.detail):
        return [_in_parameter(missing[2], missing[1], Finding(FieldCode.REQUIRED, "Is required."))]
    extra = raised.extra
    found = [_from_litestar(error) for error in extra] if isinstance(extra, list) else []
    return found or [FieldError(pointer="", code=FieldCode.INVALID_FORMAT, detail="Is not valid.")]


def _from_litestar(error: dict[str, Any]) -> FieldError:
    key, message = str(error.get("key", "")), str(error.get("message", ""))
    finding = explain_message(message)
    source = error.get("source", "query")
    if source != "body":
        return _in_parameter(key, str(getattr(source, "value", source)), finding)
    if key == "data" and message == "'data'":  # what is left of the KeyError when there is no body
        return _BODY_REQUIRED
    place = "" if key == "data" else pointer_from_dotted(key)
    return FieldError(pointer=place + finding.pointer, code=finding.code, detail=finding.detail)


def _in_parameter(name: str, source: str, finding: Finding) -> FieldError:
    if source == "header":
        return FieldError(header=name.replace("_", "-").title(), code=finding.code, detail=finding.detail)
    return FieldError(parameter=name, code=finding.code, detail=finding.detail)

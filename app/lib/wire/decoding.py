"""Strict decoding of what clients send: either a value that obeys its type, or every error in it.

A body that is fine costs one pass of msgspec's decoder. Only a body that is not is taken apart again to find
all errors with their places (:mod:`app.lib.wire.shapes`), so a reply names them together. That costs many times what
the first error costs, so of more than 64 kB the first error alone is reported.

No input raises anything but an :class:`~app.lib.errors.AppError`: broken JSON, broken UTF-8, lone surrogates,
endless nesting and numbers that fit nowhere included.
"""

import re
import sys
from typing import Any, TypeVar, cast

import msgspec

from app.lib.errors import FieldCode, FieldError, MalformedJSON, ValidationFailed
from app.lib.wire.field_errors import FieldProblem, Findings, Path
from app.lib.wire.shapes import Check, Hint, Shape, shape_of

__all__ = ["BODY_REQUIRED", "Check", "FieldProblem", "Hint", "convert", "decode_json"]

T = TypeVar("T")

BODY_REQUIRED = FieldError(pointer="", code=FieldCode.REQUIRED, detail="A request body is required.")

MAX_EXPLAINED = 65_536
"""Bytes of a body up to which all its errors are sought."""

_MAX_SEARCHED = 10_000
_NUL = "Must not have the character U+0000."
_TOO_DEEP = "The request body is nested too deeply."


def decode_json(raw: bytes, type_: type[T]) -> T:
    """Decodes a JSON text strictly: no value is bent to fit its type.

    A string with U+0000 is refused wherever it is, because databases do not keep it. Of members with the same name in
    one object the last one counts.

    Raises ``MalformedJSON`` (400) for what is no JSON in UTF-8 and ``ValidationFailed`` (422) for what does not fit the
    type: with all field errors, or with the first one where the text is longer than :data:`MAX_EXPLAINED`.
    """
    shape = shape_of(cast("Any", type_))
    first: Exception | None = None
    try:
        if not _has_nul(raw):
            try:
                value = shape.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError, ValidationFailed) as raised:
                first = raised
            else:
                finished: T = shape.checked(value)
                return finished
        _examine_json(raw, shape, first)
        checked: T = shape.checked(shape.decode(raw))
    except RecursionError:
        raise MalformedJSON(_TOO_DEEP) from None
    return checked


def _examine_json(raw: bytes, shape: Shape, first: Exception | None) -> None:
    """Raises ``MalformedJSON``, or ``ValidationFailed`` with everything that is wrong; ``first`` is the first of it."""
    findings = Findings()
    is_short = len(raw) <= MAX_EXPLAINED
    try:
        if isinstance(first, UnicodeDecodeError):
            raise first
        value = msgspec.json.decode(
            raw, type=Any if is_short else msgspec.Raw
        )  # Raw is read, but nothing is made of it
    except msgspec.ValidationError as out_of_range:  # a number that not even Python's own types hold
        findings.add_raised(None, first if isinstance(first, msgspec.ValidationError) else out_of_range)
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        if not raw.strip():
            raise ValidationFailed([BODY_REQUIRED]) from None
        place = re.search(r"\(byte \d+\)", str(broken))
        raise MalformedJSON(f"The request body is not valid JSON in UTF-8 {place[0]}." if place else None) from None
    else:
        if is_short:
            shape.examine(value, None, findings, strict=True)
            if _has_nul(raw):
                _add_nuls(value, findings, _MAX_SEARCHED)
        elif not first:
            findings.add(None, FieldCode.INVALID_FORMAT, _NUL)
        if first and not findings:  # a long body, or a member that occurs again: the last one counts
            findings.add_raised(None, first)
    findings.refuse()


def _has_nul(raw: bytes) -> bool:
    """Whether an escaped U+0000 is in a JSON text, and not an escaped backslash in front of the same letters."""
    before = raw.split(b"u0000")[:-1] if rb"\u0000" in raw else ()
    return any((len(part) - len(part.rstrip(b"\\"))) % 2 for part in before)


def convert(value: Any, type_: type[T], *, strict: bool) -> T:
    """Makes a value of a type from dicts, lists and scalars, by the rules and with the errors of :func:`decode_json`.

    ``strict=False`` reads numbers, booleans and null from strings, as a form needs it.
    """
    shape = shape_of(cast("Any", type_))
    converted: Any = None
    first: Exception | None = None
    findings = Findings()
    try:
        try:
            converted = msgspec.convert(value, shape.wire_type, strict=strict, str_keys=True)
        except (msgspec.ValidationError, ValidationFailed) as raised:
            first = raised
        if first:
            shape.examine(value, None, findings, strict=strict)
        _add_nuls(value, findings, sys.maxsize)
        findings.refuse()
        result: T = shape.checked(converted)
    except RecursionError:
        raise MalformedJSON(_TOO_DEEP) from None
    return result


def _add_nuls(value: Any, findings: Findings, limit: int) -> None:
    """Notes where U+0000 is; the body itself when more than ``limit`` values would have to be searched for it."""
    waiting: list[tuple[Path, Any]] = [(None, value)]
    while waiting:
        path, current = waiting.pop()
        if isinstance(current, str):
            if "\0" in current:
                findings.add(path, FieldCode.INVALID_FORMAT, _NUL)
        elif isinstance(current, dict | list):
            container = cast("dict[str, Any] | list[Any]", current)
            limit -= len(container)
            if limit < 0:
                findings.add(None, FieldCode.INVALID_FORMAT, _NUL)
                return
            for key, item in container.items() if isinstance(container, dict) else enumerate(container):
                if "\0" in str(key):
                    findings.add((path, key), FieldCode.INVALID_FORMAT, _NUL)
                waiting.append(((path, key), item))

"""What is wrong with one value, in our codes and our words.

msgspec says what it found in sentences for programmers, which name Python types and repeat the rejected value.
This module turns them into a :class:`~app.lib.errors.FieldCode` and a sentence for the person who calls the API.
"""

import re
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from app.lib.errors import FieldCode, FieldError, ValidationFailed

MAX_ERRORS = 50
"""A reply names at most so many errors."""

Path: TypeAlias = "tuple[Path, str | int] | None"
"""Where a value is: the path of its container and its key there; None is the body itself."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAX_SEGMENT = 64


class FieldProblem(ValueError):
    """A value breaks a rule that its type cannot say.

    A :class:`~app.lib.wire.shapes.Check` or a Struct's ``__post_init__`` raises it. ``detail`` is a sentence that
    does not repeat the value; ``pointer`` (RFC 6901) leads from the checked value to the member at fault.
    """

    def __init__(self, code: FieldCode, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.pointer = pointer


class Finding(NamedTuple):
    """One thing that is wrong, and where below the value that was looked at."""

    code: FieldCode
    detail: str
    pointer: str = ""


class Findings:
    """Collects field errors: one for each pointer, at most :data:`MAX_ERRORS`."""

    def __init__(self) -> None:
        self._by_pointer: dict[str, FieldError] = {}

    def __len__(self) -> int:
        return len(self._by_pointer)

    @property
    def full(self) -> bool:
        """Whether looking further is of no use."""
        return len(self._by_pointer) >= MAX_ERRORS

    @property
    def errors(self) -> list[FieldError]:
        """What was found, in the order in which it was found."""
        return list(self._by_pointer.values())

    def add(self, path: Path, code: FieldCode, detail: str, pointer: str = "") -> None:
        """Notes an error at ``path`` followed by ``pointer``, unless that place has one already."""
        place = pointer_to(path) + pointer
        if not self.full:
            self._by_pointer.setdefault(place, FieldError(pointer=place, code=code, detail=detail))

    def add_raised(self, path: Path, raised: Exception) -> None:
        """Notes what an exception of a decoder or of a check says about the value at ``path``."""
        if isinstance(raised, ValidationFailed):
            for error in raised.errors:
                self.add(path, error.code, error.detail, error.pointer or "")
        else:
            self.add(path, *explain(raised))


def pointer_to(path: Path) -> str:
    """The RFC 6901 pointer of a path. Names come from the client, so they are cut and lose control characters."""
    segments: list[str] = []
    while path is not None:
        path, key = path
        segments.append(_segment(key))
    return "".join(reversed(segments))


def _segment(key: str | int) -> str:
    name = _CONTROLS.sub("", str(key))[:_MAX_SEGMENT]
    return "/" + name.replace("~", "~0").replace("/", "~1")


# How msgspec ends a message that is about something further down.
_LOCATION = re.compile(r" - at (?:`key` in )?`\$([^`]*)`\Z")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]|(\[\.\.\.\])")


def explain(raised: Exception) -> Finding:
    """Says what is wrong from an exception of msgspec, or of a check that msgspec wraps."""
    cause = raised if isinstance(raised, FieldProblem) else raised.__cause__
    # Words of our own code are neither shown nor searched for a place, because they may quote the value.
    message = str(raised)[len(str(cause)) :] if cause else str(raised)
    pointer = ""
    if found := _LOCATION.search(message):
        message, pointer = message[: found.start()], _pointer_from_msgspec(found[1])
    if isinstance(cause, FieldProblem):
        return Finding(cause.code, cause.detail, pointer + cause.pointer)
    code, detail, below = explain_message(message)
    return Finding(code, detail, pointer + below)


def _pointer_from_msgspec(location: str) -> str:
    path: Path = None
    for name, index, unknown_key in _STEP.findall(location):
        if unknown_key:  # msgspec does not say which member of a mapping it means
            break
        path = (path, name or index)
    return pointer_to(path)


def pointer_from_dotted(key: str) -> str:
    """The pointer of a place that Litestar writes as ``a.b[0].c``."""
    return _pointer_from_msgspec("." + key)


def explain_message(message: str) -> Finding:
    """The same from the words alone, which is all that Litestar keeps of an error in a parameter."""
    for pattern, finding in _RULES:
        if found := pattern.match(message):
            return finding(found)
    return Finding(FieldCode.INVALID_FORMAT, "Is not valid.")


_NOUNS = {
    "array": "a list",
    "bool": "true or false",
    "bytes": "a base64 string",
    "date": "a date string",
    "datetime": "a date-time string",
    "decimal": "a decimal string",
    "duration": "a duration string",
    "float": "a number",
    "int": "an integer",
    "null": "null",
    "object": "an object",
    "str": "a string",
    "time": "a time string",
    "uuid": "a UUID string",
}
_UNITS = {"array": "item", "object": "member", "str": "character", "bytes": "byte"}


def _wrong_type(found: re.Match[str]) -> Finding:
    nouns = [_NOUNS[name] for name in found[1].split(" | ") if name in _NOUNS]
    if not nouns:
        return Finding(FieldCode.INVALID_TYPE, "Has the wrong type.")
    listed = " or ".join(filter(None, (", ".join(nouns[:-1]), nouns[-1])))
    return Finding(FieldCode.INVALID_TYPE, f"Must be {listed}.")


def _wrong_length(found: re.Match[str]) -> Finding:
    low = found[2] == ">="
    unit = _UNITS.get(found[1], "item") + ("" if found[3] == "1" else "s")
    code = FieldCode.TOO_SHORT if low else FieldCode.TOO_LONG
    return Finding(code, f"Must have at {'least' if low else 'most'} {found[3]} {unit}.")


def _wrong_count(found: re.Match[str]) -> Finding:
    code = FieldCode.TOO_SHORT if int(found[2]) < int(found[1]) else FieldCode.TOO_LONG
    return Finding(code, f"Must have exactly {found[1]} item{'' if found[1] == '1' else 's'}.")


_COMPARISONS = {">=": "at least", "<=": "at most", ">": "greater than", "<": "less than"}


def _wrong_size(found: re.Match[str]) -> Finding:
    code = FieldCode.TOO_SMALL if found[1].startswith(">") else FieldCode.TOO_LARGE
    return Finding(code, f"Must be {_COMPARISONS[found[1]]} {found[2]}.")


def _wrong_format(detail: str) -> Callable[[re.Match[str]], Finding]:
    return lambda _: Finding(FieldCode.INVALID_FORMAT, detail)


def _wrong_choice(_: re.Match[str]) -> Finding:
    return Finding(FieldCode.INVALID_CHOICE, "Is not one of the allowed values.")


def _required(found: re.Match[str]) -> Finding:
    return Finding(FieldCode.REQUIRED, "Is required.", _segment(found[1]))


def _unknown(found: re.Match[str]) -> Finding:
    return Finding(FieldCode.UNKNOWN_FIELD, "Unknown member.", _segment(found[1]))


def _out_of_range(_: re.Match[str]) -> Finding:
    return Finding(FieldCode.TOO_LARGE, "Is out of range.")


# Every message that msgspec 0.22 has for a value; its source is the list.
_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Finding]], ...] = tuple(
    (re.compile(pattern, re.DOTALL), finding)
    for pattern, finding in (
        (r"Expected `(\w+)` of length (>=|<=) (\d+)", _wrong_length),
        (r"Expected `array` of (?:at (?:least|most) )?length (\d+), got (\d+)", _wrong_count),
        (r"Expected `(?:int|float)` (>=|<=|>|<) (-?[\d.e+-]+)", _wrong_size),
        (
            r"Expected `(?:int|float)` that's a multiple of (-?[\d.e+-]+)",
            lambda found: Finding(FieldCode.INVALID_FORMAT, f"Must be a multiple of {found[1]}."),
        ),
        (r"Expected `str` matching regex", _wrong_format("Does not have the expected format.")),
        (r"Expected `\w+` with a timezone", _wrong_format("Must have a time zone, such as Z or +02:00.")),
        (r"Expected `\w+` with no timezone", _wrong_format("Must not have a time zone.")),
        (r"Expected `([^`]+)`", _wrong_type),
        (r"Invalid enum value ", _wrong_choice),
        (r"Invalid value ", _wrong_choice),
        (r"Invalid UUID", _wrong_format("Must be a UUID.")),
        (r"Invalid RFC3339 encoded datetime", _wrong_format("Must be a date-time as in RFC 3339.")),
        (r"Invalid RFC3339 encoded date", _wrong_format("Must be a date as in RFC 3339.")),
        (r"Invalid RFC3339 encoded time", _wrong_format("Must be a time as in RFC 3339.")),
        (r"Invalid epoch timestamp", _wrong_format("Must be a date-time as in RFC 3339.")),
        (r"Invalid ISO8601 duration|Only units ", _wrong_format("Must be a duration as in ISO 8601.")),
        (r"Invalid decimal string", _wrong_format("Must be a decimal number.")),
        (r"Invalid base64", _wrong_format("Must be base64.")),
        (r"(?:Integer value|Number|Timestamp is|Duration is) out of range", _out_of_range),
        (r"Object missing required field `(.*)`", _required),
        (r"Object contains unknown field `(.*)`", _unknown),
    )
)

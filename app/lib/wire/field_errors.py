"""What is wrong with one value, in our codes and our words.

msgspec's messages are for programmers: they name Python types and repeat the rejected value. This module turns them
into a :class:`~app.lib.errors.FieldCode` and a sentence for the person who calls the API.
"""

import re
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from app.lib.errors import FieldCode, FieldError, ValidationFailed

MAX_ERRORS = 50
"""The most errors that a reply names."""

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
    """One error, and where it is below the value that was examined."""

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

    def refuse(self) -> None:
        """Raises ``ValidationFailed`` with all errors in the order in which they were found, if there are any."""
        if self._by_pointer:
            raise ValidationFailed(list(self._by_pointer.values()))


def pointer_to(path: Path) -> str:
    """The RFC 6901 pointer of a path. Names come from the client, so they are cut and lose control characters."""
    segments: list[str] = []
    while path is not None:
        path, key = path
        name = _CONTROLS.sub("", str(key))[:_MAX_SEGMENT]
        segments.append("/" + name.replace("~", "~0").replace("/", "~1"))
    return "".join(reversed(segments))


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
        message, pointer = message[: found.start()], pointer_from_dotted(found[1])
    if isinstance(cause, FieldProblem):
        return Finding(cause.code, cause.detail, pointer + cause.pointer)
    code, detail, below = explain_message(message)
    return Finding(code, detail, pointer + below)


def pointer_from_dotted(location: str) -> str:
    """The pointer of a place that is written as ``.a.b[0].c``."""
    path: Path = None
    for name, index, unknown_key in _STEP.findall(location):
        if unknown_key:  # msgspec does not say which member of a mapping it means
            break
        path = (path, name or index)
    return pointer_to(path)


def explain_message(message: str) -> Finding:
    """The same from the words alone, which is all that Litestar keeps of an error in a parameter."""
    for pattern, code, detail in _RULES:
        if found := pattern.match(message):
            if not isinstance(detail, str):
                return detail(found)
            pointer = pointer_to((None, found[1])) if code in _ABOUT_MEMBERS else ""
            return Finding(code, detail.format(found[0], *found.groups()), pointer)
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
    unit = _UNITS.get(found[1], "item") + ("" if found[3] == "1" else "s")
    if found[2] == ">=":
        return Finding(FieldCode.TOO_SHORT, f"Must have at least {found[3]} {unit}.")
    return Finding(FieldCode.TOO_LONG, f"Must have at most {found[3]} {unit}.")


def _wrong_count(found: re.Match[str]) -> Finding:
    code = FieldCode.TOO_SHORT if int(found[2]) < int(found[1]) else FieldCode.TOO_LONG
    return Finding(code, f"Must have exactly {found[1]} item{'' if found[1] == '1' else 's'}.")


_ABOUT_MEMBERS = {FieldCode.REQUIRED, FieldCode.UNKNOWN_FIELD}
_NUMBER = r"Expected `(?:int|float)`"
# Every message that msgspec 0.22 has for a value; its source is the list.
_RULES: tuple[tuple[re.Pattern[str], FieldCode, str | Callable[[re.Match[str]], Finding]], ...] = tuple(
    (re.compile(pattern, re.DOTALL), code, detail)
    for pattern, code, detail in (
        (r"Expected `(\w+)` of length (>=|<=) (\d+)", FieldCode.TOO_LONG, _wrong_length),
        (r"Expected `array` of (?:at (?:least|most) )?length (\d+), got (\d+)", FieldCode.TOO_LONG, _wrong_count),
        (rf"{_NUMBER} >= (-?[\d.e+-]+)", FieldCode.TOO_SMALL, "Must be at least {1}."),
        (rf"{_NUMBER} <= (-?[\d.e+-]+)", FieldCode.TOO_LARGE, "Must be at most {1}."),
        (rf"{_NUMBER} > (-?[\d.e+-]+)", FieldCode.TOO_SMALL, "Must be greater than {1}."),
        (rf"{_NUMBER} < (-?[\d.e+-]+)", FieldCode.TOO_LARGE, "Must be less than {1}."),
        (rf"{_NUMBER} that's a multiple of (-?[\d.e+-]+)", FieldCode.INVALID_FORMAT, "Must be a multiple of {1}."),
        (r"Expected `str` matching regex", FieldCode.INVALID_FORMAT, "Does not have the expected format."),
        (r"Expected `\w+` with a time", FieldCode.INVALID_FORMAT, "Must have a time zone, such as Z or +02:00."),
        (r"Expected `\w+` with no timezone", FieldCode.INVALID_FORMAT, "Must not have a time zone."),
        (r"Expected `([^`]+)`", FieldCode.INVALID_TYPE, _wrong_type),
        (r"Invalid (?:enum )?value ", FieldCode.INVALID_CHOICE, "Is not one of the allowed values."),
        (r"Invalid UUID", FieldCode.INVALID_FORMAT, "Must be a UUID."),
        (
            r"Invalid (?:RFC3339 encoded datetime|epoch timestamp)",
            FieldCode.INVALID_FORMAT,
            "Must be a date-time as in RFC 3339.",
        ),
        (r"Invalid RFC3339 encoded (date|time)", FieldCode.INVALID_FORMAT, "Must be a {1} as in RFC 3339."),
        (r"Invalid ISO8601 duration|Only units ", FieldCode.INVALID_FORMAT, "Must be a duration as in ISO 8601."),
        (r"Invalid decimal string", FieldCode.INVALID_FORMAT, "Must be a decimal number."),
        (r"Invalid base64", FieldCode.INVALID_FORMAT, "Must be base64."),
        (r"(?:Integer value|Number|Timestamp is|Duration is) out of range", FieldCode.TOO_LARGE, "Is out of range."),
        (r"Object missing required field `(.*)`", FieldCode.REQUIRED, "Is required."),
        (r"Object contains unknown field `(.*)`", FieldCode.UNKNOWN_FIELD, "Unknown member."),
    )
)

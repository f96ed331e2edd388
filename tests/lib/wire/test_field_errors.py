"""Our words for what msgspec finds: each of its messages is known, none of its words gets out."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta, Struct

from app.lib.errors import FieldCode, ValidationFailed
from app.lib.wire.field_errors import MAX_ERRORS, FieldProblem, Findings, explain, explain_message, pointer_to


class Point(Struct, forbid_unknown_fields=True):
    x: int


@pytest.mark.parametrize(
    ("type_", "value", "code", "detail"),
    [
        (int, "1", "invalid_type", "Must be an integer."),
        (float, "1", "invalid_type", "Must be a number."),
        (str, 1, "invalid_type", "Must be a string."),
        (bool, 1, "invalid_type", "Must be true or false."),
        (list[int], {}, "invalid_type", "Must be a list."),
        (dict[str, int], [], "invalid_type", "Must be an object."),
        (None, 1, "invalid_type", "Must be null."),
        (int | list[int] | None, "x", "invalid_type", "Must be an integer, a list or null."),
        (datetime, 1, "invalid_type", "Must be a date-time string."),
        (UUID, 1, "invalid_type", "Must be a UUID string."),
        (Annotated[int, Meta(ge=1)], 0, "too_small", "Must be at least 1."),
        (Annotated[int, Meta(le=-1)], 0, "too_large", "Must be at most -1."),
        (Annotated[float, Meta(gt=1.5)], 1.0, "too_small", "Must be greater than 1.5."),
        (Annotated[float, Meta(lt=1e-7)], 1.0, "too_large", "Must be less than 1e-07."),
        (Annotated[int, Meta(multiple_of=5)], 3, "invalid_format", "Must be a multiple of 5."),
        (Annotated[str, Meta(min_length=1)], "", "too_short", "Must have at least 1 character."),
        (Annotated[str, Meta(max_length=2)], "abc", "too_long", "Must have at most 2 characters."),
        (Annotated[bytes, Meta(max_length=1)], "AAAA", "too_long", "Must have at most 1 byte."),
        (Annotated[list[int], Meta(max_length=1)], [1, 2], "too_long", "Must have at most 1 item."),
        (Annotated[dict[str, int], Meta(min_length=2)], {}, "too_short", "Must have at least 2 members."),
        (tuple[int, int], [1], "too_short", "Must have exactly 2 items."),
        (tuple[int], [1, 2], "too_long", "Must have exactly 1 item."),
        (Annotated[str, Meta(pattern="^a$")], "b", "invalid_format", "Does not have the expected format."),
        (UUID, "x", "invalid_format", "Must be a UUID."),
        (datetime, "x", "invalid_format", "Must be a date-time as in RFC 3339."),
        (date, "x", "invalid_format", "Must be a date as in RFC 3339."),
        (time, "x", "invalid_format", "Must be a time as in RFC 3339."),
        (timedelta, "x", "invalid_format", "Must be a duration as in ISO 8601."),
        (timedelta, "P1Y", "invalid_format", "Must be a duration as in ISO 8601."),
        (Decimal, "x", "invalid_format", "Must be a decimal number."),
        (bytes, "x", "invalid_format", "Must be base64."),
        (Annotated[datetime, Meta(tz=False)], "2026-01-31T12:00:00Z", "invalid_format", "Must not have a time zone."),
        (Point, {}, "required", "Is required."),
        (Point, {"x": 1, "y": 1}, "unknown_field", "Unknown member."),
    ],
)
def test_every_message_has_a_code_and_a_sentence(type_: Any, value: Any, code: str, detail: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(value, type_)
    assert explain(caught.value)[:2] == (code, detail)


@pytest.mark.parametrize("message", ["", "Something new in msgspec about 'secret'", "Expected `Custom`, got `secret`"])
def test_what_is_not_known_says_nothing(message: str) -> None:
    code, detail, pointer = explain_message(message)
    assert code in {FieldCode.INVALID_FORMAT, FieldCode.INVALID_TYPE}
    assert detail in {"Is not valid.", "Has the wrong type."}
    assert pointer == ""


def wrapped(value: Any) -> ValueError:
    return ValueError(f"{value} - at `$.secret`")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (wrapped, (FieldCode.INVALID_FORMAT, "Is not valid.", "/points/1")),
        (
            lambda _: FieldProblem(FieldCode.NOT_FOUND, "Is not known.", "/x"),
            (FieldCode.NOT_FOUND, "Is not known.", "/points/1/x"),
        ),
    ],
)
def test_an_error_of_our_own_keeps_its_place(make: Callable[[Any], ValueError], expected: tuple[Any, ...]) -> None:
    class Picky(Struct):
        x: int

        def __post_init__(self) -> None:
            if self.x < 0:
                raise make(self.x)

    class Line(Struct):
        points: list[Picky]

    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(b'{"points":[{"x":1},{"x":-1}]}', type=Line)
    assert explain(caught.value) == expected


def test_a_place_inside_a_mapping_is_the_mapping() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"a": {"secret": "x"}}, dict[str, dict[str, int]])
    assert explain(caught.value).pointer == ""


def test_pointers_follow_rfc_6901() -> None:
    assert pointer_to(None) == ""
    assert pointer_to((((None, "a/b"), 0), "m~n")) == "/a~1b/0/m~0n"
    assert pointer_to((None, "")) == "/"


def test_one_place_has_one_error_and_a_reply_at_most_fifty() -> None:
    findings = Findings()
    for number in range(MAX_ERRORS + 5):
        findings.add((None, number), FieldCode.REQUIRED, "Is required.")
        findings.add((None, number), FieldCode.INVALID_FORMAT, "Is not valid.")
    assert findings.full
    with pytest.raises(ValidationFailed) as caught:
        findings.refuse()
    assert [error.pointer for error in caught.value.errors] == [f"/{number}" for number in range(MAX_ERRORS)]
    assert {error.code for error in caught.value.errors} == {FieldCode.REQUIRED}

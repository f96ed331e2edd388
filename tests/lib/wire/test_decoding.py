"""Decoding: what passes is exact, and what does not is refused in our words."""

import json
import string
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib.errors import AppError, MalformedJSON, ValidationFailed
from app.lib.wire.decoding import convert, decode_json
from tests.lib.shaped import Card, Item, Kind, Order, Transfer, order, refused


def test_a_good_body_is_decoded() -> None:
    body = order(kind="gift", placed_at="2026-01-31T12:00:00Z", seen=[1, 1], parent=order())
    decoded = decode_json(json.dumps(body).encode(), Order)
    assert decoded.items == [Item(quantity=1)]
    assert decoded.kind is Kind.GIFT
    assert decoded.placed_at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert decoded.seen == {1}
    assert decoded.parent == decode_json(b'{"items":[{"quantity":1}]}', Order)


# Broken bodies


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"nonsense",
        b'{"items": [}',
        b'{"items": NaN}',
        b'{"items": Infinity}',
        b"{'items': 1}",
        b'\xef\xbb\xbf{"items":[{"quantity":1}]}',
        '{"items":[]}'.encode("utf-16"),
        b'{"items":[],"kind":"\xff"}',
        b'{"kind":"\xed\xa0\x80"}',
        b'{"kind":"\\ud800"}',
        b'{"kind":"\\udc00 and more"}',
        b'{"kind":"\x00"}',
        b'{"kind":"line\nfeed"}',
        b"[" * 100_000,
        b'{"nonsense":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"parent":' * 100_000,
        b'{"items":0,"parent":' * 20_000,
    ],
)
def test_what_is_no_json_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedJSON) as caught:
        decode_json(raw, Order)
    assert caught.value.status == 400


def test_the_place_of_a_syntax_error_is_reported() -> None:
    with pytest.raises(MalformedJSON, match=r"^The request body is not valid JSON in UTF-8 \(byte 4\)\.$"):
        decode_json(b'{"a"}', Order)


@pytest.mark.parametrize("raw", [b"", b" \n"])
def test_a_missing_body_is_one_error(raw: bytes) -> None:
    assert refused(raw) == {"": ("required", "A request body is required.")}


@pytest.mark.parametrize("number", [b"1e400", b"-1e999", b"1" * 6000])
def test_numbers_that_fit_nowhere_are_field_errors(number: bytes) -> None:
    assert refused(b'{"items":[{"quantity":' + number + b"}]}") == {
        "/items/0/quantity": ("too_large", "Is out of range.")
    }


def test_a_number_that_fits_nowhere_in_an_unknown_place_is_an_error_too() -> None:
    assert refused(b'{"labels":{"a\\u0000":1e400}}') == {"": ("too_large", "Is out of range.")}


def test_deep_nesting_that_the_type_allows_is_refused_too() -> None:
    deep = b'{"items":[{"quantity":1}],"parent":' * 5000 + b"null" + b"}" * 5000
    with pytest.raises(MalformedJSON, match="nested too deeply"):
        decode_json(deep, Order)


def test_of_members_with_one_name_the_last_counts_unless_an_earlier_one_is_wrong() -> None:
    assert decode_json(b'{"items":[{"quantity":1,"quantity":2}]}', Order).items == [Item(quantity=2)]
    assert refused(b'{"items":[{"quantity":0,"quantity":2}]}') == {
        "/items/0/quantity": ("too_small", "Must be at least 1.")
    }


def test_nul_is_refused_in_every_string_and_name() -> None:
    raw = b'{"items":[{"quantity":1,"note":"a\\u0000"}],"labels":{"k\\u0000":"x"},"either":"\\u0000"}'
    said = ("invalid_format", "Must not have the character U+0000.")
    assert refused(raw) == {"/items/0/note": said, "/labels/k": said, "/either": said}


def test_nul_is_reported_together_with_other_errors() -> None:
    found = refused(b'{"items":[{"quantity":0,"note":"a\\u0000"}],"x\\u0000":1}')
    assert {pointer: code for pointer, (code, _) in found.items()} == {
        "/items/0/quantity": "too_small",
        "/items/0/note": "invalid_format",
        "/x": "unknown_field",
    }


def test_a_nul_among_very_many_values_is_an_error_of_the_body() -> None:
    found = refused(b'{"items":[],"x":["\\u0000"' + b",0" * 20_000 + b"]}")
    assert {pointer: code for pointer, (code, _) in found.items()} == {
        "/items": "too_short",
        "/x": "unknown_field",
        "": "invalid_format",
    }


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert decode_json(b'{"items":[{"quantity":1}],"either":"\\\\u0000"}', Order).either == "\\u0000"
    said = ("invalid_format", "Must not have the character U+0000.")
    assert refused(b'{"items":[{"quantity":1}],"either":"\\\\\\u0000"}') == {"/either": said}


# Numbers


@pytest.mark.parametrize("raw", [b'"12"', b"12.0", b"true", b"null", b"[1]"])
def test_nothing_is_bent_into_an_integer(raw: bytes) -> None:
    assert refused(raw, int) == {"": ("invalid_type", "Must be an integer.")}


# Builtins


def test_forms_are_converted_leniently_and_bodies_are_not() -> None:
    assert convert({"quantity": "7"}, Item, strict=False).quantity == 7
    assert convert({"quantity": "7", "code": "x"}, Item, strict=False).code == "X"
    with pytest.raises(ValidationFailed):
        convert({"quantity": "7"}, Item, strict=True)


@pytest.mark.parametrize(
    ("form", "found"),
    [
        ({"quantity": "0", "x": ""}, {"/quantity": "too_small", "/x": "unknown_field"}),
        ({"quantity": ["1", "2"]}, {"/quantity": "invalid_type"}),
        ({"quantity": "9" * 5000}, {"/quantity": "too_large"}),
        ({"quantity": "1", "note": "a\0"}, {"/note": "invalid_format"}),
        ({"quantity": "1", "code": "forbidden"}, {"/code": "not_unique"}),
        ({}, {"/quantity": "required"}),
    ],
)
def test_forms_get_all_their_errors(form: dict[str, Any], found: dict[str, str]) -> None:
    with pytest.raises(ValidationFailed) as caught:
        convert(form, Item, strict=False)
    assert {error.pointer: error.code.value for error in caught.value.errors} == found


def test_builtins_without_end_are_refused() -> None:
    deep: dict[str, Any] = order()
    for _ in range(5000):
        deep = order(parent=deep)
    with pytest.raises(MalformedJSON, match="nested too deeply"):
        convert(deep, Order, strict=True)


# Any bytes at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["a", "gift"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*Order.__struct_fields__, *Item.__struct_fields__, "type"]), inner, max_size=6
        )
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=4), inner, max_size=3)
    ),
    max_leaves=30,
)


def outcome(attempt: Callable[[], Any]) -> Any:
    try:
        return attempt()
    except AppError as error:
        return error


def member_at(body: Any, pointer: str) -> bool:
    """Whether the container of the place exists; the last step may be a member that is missing."""
    current = body
    for step in pointer.split("/")[1:-1]:
        name = step.replace("~1", "/").replace("~0", "~")
        current = current[int(name)] if isinstance(current, list) else current[name]
    return pointer == "" or isinstance(current, list | dict)


@given(raw=st.binary(max_size=200) | st.text(string.printable, max_size=80).map(str.encode))
def test_no_bytes_raise_anything_but_our_errors(raw: bytes) -> None:
    result = outcome(lambda: decode_json(raw, Order))
    assert isinstance(result, Order | MalformedJSON | ValidationFailed)


@given(body=JSON)
def test_no_json_raises_anything_but_our_errors_with_places_in_it(body: Any) -> None:
    raw = json.dumps(body).encode()
    for type_ in (Order, Item, list[Order], dict[str, Card | Transfer]):
        result = outcome(lambda wanted=type_: decode_json(raw, wanted))  # type: ignore[misc]  # bound early
        if isinstance(result, ValidationFailed):
            assert result.errors
            assert all(member_at(body, error.pointer or "") for error in result.errors)
        elif isinstance(result, MalformedJSON):
            assert b"NaN" in raw or b"Infinity" in raw
        else:
            assert msgspec.json.encode(result)


@given(body=JSON, strict=st.booleans())
def test_no_builtins_raise_anything_but_our_errors(body: Any, strict: bool) -> None:
    result = outcome(lambda: convert(body, Order, strict=strict))
    assert isinstance(result, Order | ValidationFailed)
    if isinstance(result, ValidationFailed):
        assert 0 < len(result.errors) <= 50
        assert len({error.pointer for error in result.errors}) == len(result.errors)

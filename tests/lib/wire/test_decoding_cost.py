"""What a refusal costs, counted in calls and in memory, and not in time."""

import sys
import tracemalloc
from collections.abc import Callable, Sequence

import pytest

from app.lib.errors import FieldError, ValidationFailed
from app.lib.wire.decoding import MAX_EXPLAINED, decode_json
from tests.lib.shaped import Order

MB = 1_000_000
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "nested arrays": lambda size: b"[" + b"[]," * (size // 3) + b"[]]",
    "nested arrays as items": lambda size: b'{"items":[' + b"[]," * (size // 3) + b"[]]}",
    "nested arrays in an unknown member": lambda size: b'{"x":[' + b"[]," * (size // 3) + b"[]]}",
    "unknown members": lambda size: b"{%s}" % b",".join(b'"m%06d":1' % n for n in range(size // 12)),
    "wrong items": lambda size: b'{"items":[%s]}' % b",".join([b"1"] * (size // 2)),
    "a long string": lambda size: b'{"kind":"%s"}' % (b"v" * size),
    "a long string with U+0000": lambda size: b'{"kind":"%s\\u0000"}' % (b"v" * size),
    "backslashes": lambda size: b'{"kind":"%s\\\\u0000"}' % (b"\\\\" * (size // 2)),
}


def refused(raw: bytes) -> Sequence[FieldError]:
    with pytest.raises(ValidationFailed) as caught:
        decode_json(raw, Order)
    return caught.value.errors


def calls_of(raw: bytes) -> int:
    """Calls of functions, those that are written in C included."""
    count = 0

    def on_event(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(on_event)
    try:
        refused(raw)
    finally:
        sys.setprofile(None)
    return count


def memory_of(raw: bytes) -> int:
    """Bytes that are in use at the same time, which says how many values are made."""
    tracemalloc.start()
    try:
        refused(raw)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("what", HOSTILE)
def test_a_long_body_costs_as_many_calls_as_one_error(what: str) -> None:
    refused(b"[]")  # what is made once is made
    assert calls_of(HOSTILE[what](2 * MB)) <= 150


@pytest.mark.parametrize("what", HOSTILE)
def test_of_a_long_body_no_values_are_made(what: str) -> None:
    raw = HOSTILE[what](2 * MB)
    assert memory_of(raw) < 4 * len(raw)  # as values, nested arrays take thirty times as much


@pytest.mark.parametrize("what", HOSTILE)
def test_a_body_that_is_explained_costs_a_bounded_number_of_calls(what: str) -> None:
    refused(b"[]")
    assert calls_of(HOSTILE[what](MAX_EXPLAINED - 100)) <= 5_000


def test_all_errors_are_named_up_to_the_limit_and_the_first_one_beyond() -> None:
    errors = b'{"items":[{"quantity":0},{"quantity":-1}],"kind":"%s"}'
    padding = MAX_EXPLAINED - len(errors) + 2
    assert [each.pointer for each in refused(errors % (b"v" * padding))] == [
        "/items/0/quantity",
        "/items/1/quantity",
        "/kind",
    ]
    assert [each.pointer for each in refused(errors % (b"v" * (padding + 1)))] == ["/items/0/quantity"]


def test_a_long_body_with_an_escaped_nul_is_refused() -> None:
    (error,) = refused(b'{"items":[{"quantity":1}],"note":"%s\\u0000"}' % (b"v" * MAX_EXPLAINED))
    assert "U+0000" in error.detail

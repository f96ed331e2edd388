"""Every error of a value is found, in the place where it is; checks run with the rest."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal, NewType, TypedDict

import msgspec
import pytest
from msgspec import UNSET, Meta, Struct, UnsetType

from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.wire.decoding import Check, FieldProblem, decode_json
from tests.lib.shaped import Closed, Order, Transfer, order, refused


def test_all_errors_are_reported_in_one_go() -> None:
    body = {
        "items": [{"quantity": 0, "note": "abcdef"}, {"quantity": "1", "x": 1}, 3, {"note": "b"}],
        "kind": "loan",
        "size": "xl",
        "placed_at": "2026-01-31T12:00:00",
        "labels": {"long~/": "x", "a": 5},
        "parent": {"items": [], "extra": None},
        "nonsense": 1,
    }
    assert refused(body) == {
        "/items/0/quantity": ("too_small", "Must be at least 1."),
        "/items/0/note": ("too_long", "Must have at most 5 characters."),
        "/items/1/quantity": ("invalid_type", "Must be an integer."),
        "/items/1/x": ("unknown_field", "Unknown member."),
        "/items/2": ("invalid_type", "Must be an object."),
        "/items/3/quantity": ("required", "Is required."),
        "/items/3/note": ("invalid_format", "Must start with a."),
        "/kind": ("invalid_choice", "Must be one of: gift, sale."),
        "/size": ("invalid_choice", "Must be one of: s, m."),
        "/placed_at": ("invalid_format", "Must have a time zone, such as Z or +02:00."),
        "/labels/long~0~1": ("too_long", "Must have at most 3 characters."),
        "/labels/a": ("invalid_type", "Must be a string."),
        "/parent/items": ("too_short", "Must have at least 1 item."),
        "/parent/extra": ("unknown_field", "Unknown member."),
        "/nonsense": ("unknown_field", "Unknown member."),
    }


@pytest.mark.parametrize(
    ("members", "pointer", "code", "detail"),
    [
        ({"items": None}, "/items", "invalid_type", "Must be a list."),
        ({"items": [{"quantity": 1}] * 61}, "/items", "too_long", "Must have at most 60 items."),
        ({"items": [{"quantity": 1.5}]}, "/items/0/quantity", "invalid_type", "Must be an integer."),
        ({"items": [{"quantity": True}]}, "/items/0/quantity", "invalid_type", "Must be an integer."),
        ({"items": [{"quantity": 10**30}]}, "/items/0/quantity", "too_large", "Must be at most 100."),
        ({"items": [{"quantity": 1, "note": None}]}, "/items/0/note", "invalid_type", "Must be a string."),
        ({"items": [{"quantity": 1, "code": 1}]}, "/items/0/code", "invalid_type", "Must be a string or null."),
        ({"placed_at": "yesterday"}, "/placed_at", "invalid_format", "Must be a date-time as in RFC 3339."),
        ({"placed_at": 5}, "/placed_at", "invalid_type", "Must be a date-time string or null."),
        ({"labels": {"a": "", "b": "", "c": ""}}, "/labels", "too_long", "Must have at most 2 members."),
        ({"labels": []}, "/labels", "invalid_type", "Must be an object."),
        ({"payment": {"type": "card", "number": "1"}}, "/payment/number", "too_short", None),
        ({"payment": {"type": "card"}}, "/payment/number", "required", "Is required."),
        ({"payment": {"type": "cash"}}, "/payment/type", "invalid_choice", "Is not one of the allowed values."),
        ({"payment": {"number": "1234"}}, "/payment/type", "required", "Is required."),
        ({"payment": 5}, "/payment", "invalid_type", "Must be an object or null."),
        ({"pair": [1]}, "/pair", "too_short", "Must have exactly 2 items."),
        ({"pair": ["x", "y"]}, "/pair/0", "invalid_type", "Must be an integer."),
        ({"seen": [1, "2"]}, "/seen/1", "invalid_type", "Must be an integer."),
        ({"either": None}, "/either", "invalid_type", "Must be an integer or a string."),
    ],
)
def test_what_is_wrong_is_said_where_it_is(members: Any, pointer: str, code: str, detail: str | None) -> None:
    found = refused(order(**members))
    assert list(found) == [pointer]
    assert found[pointer][0] == code
    assert detail is None or found[pointer][1] == detail


def test_no_reply_repeats_a_value_or_a_type() -> None:
    secret = "hunter2-hunter2-hunter2"
    body = order(
        kind=secret, size=secret, placed_at=secret, either=None, labels={"a": secret}, payment={"type": secret}
    )
    words = json.dumps(refused(body | {"items": [{"quantity": secret, "note": secret}]}))
    assert "hunter2" not in words
    assert "Unset" not in words
    assert "`" not in words


def test_at_most_fifty_errors_are_reported() -> None:
    assert len(refused({"items": [{"quantity": 0}] * 60})) == 50
    assert len(refused({f"x{number}": 1 for number in range(5_000)})) == 50


def test_names_from_the_client_are_cut_and_lose_control_characters() -> None:
    found = refused(order(**{"a\nb\x7f\u0085c" + "x" * 100: 1, "~/": 1}))
    assert set(found) == {"/abc" + "x" * 61, "/~0~1"}


def test_checks_return_the_value_that_is_kept() -> None:
    body = order(labels={"k": "v"}, payment={"type": "transfer", "iban": "de"}, parent=order())
    body["parent"]["items"][0]["code"] = "deep"
    body["items"][0]["code"] = "flat"
    decoded = decode_json(json.dumps(body).encode(), Order)
    assert decoded.items[0].code == "FLAT"
    assert decoded.labels == {"k": "V"}
    assert decoded.payment == Transfer(iban="DE")
    assert decoded.parent is not None
    assert decoded.parent.items[0].code == "DEEP"


def test_checks_are_reported_together_with_other_errors() -> None:
    bad = {"quantity": 1, "code": "forbidden"}
    assert refused(order(items=[bad])) == {"/items/0/code": ("not_unique", "Is taken.")}
    found = refused({"items": [bad], "labels": {"k": "forbidden"}, "size": "xl"})
    assert {pointer: code for pointer, (code, _) in found.items()} == {
        "/items/0/code": "not_unique",
        "/labels/k": "not_unique",
        "/size": "invalid_choice",
    }


def test_a_rule_across_members_points_at_the_member() -> None:
    gift = order(kind="gift", payment={"type": "card", "number": "1234"})
    said = ("invalid_choice", "Gifts are not paid for.")
    assert refused(gift) == {"/payment": said}
    assert refused(order(parent=gift)) == {"/parent/payment": said}
    assert refused(order(parent=gift, size="xl")) == {
        "/parent/payment": said,
        "/size": ("invalid_choice", "Must be one of: s, m."),
    }


class Careless(Closed):
    name: str

    def __post_init__(self) -> None:
        raise ValueError(f"no such thing as {self.name} - at `$.x`")


class Thorough(Closed):
    name: str
    other: int = 0

    def __post_init__(self) -> None:
        raise ValidationFailed([FieldError(pointer="/name", code=FieldCode.NOT_FOUND, detail="Is not known.")])


def test_the_words_of_other_errors_are_not_for_clients() -> None:
    assert refused(b'[{"name":"secret"}]', list[Careless]) == {"/0": ("invalid_format", "Is not valid.")}


def test_field_errors_of_a_struct_are_moved_to_where_it_is() -> None:
    assert refused(b'[{"name":"a"},{"name":"b","other":"x"}]', list[Thorough]) == {
        "/0/name": ("not_found", "Is not known."),
        "/1/other": ("invalid_type", "Must be an integer."),
    }
    assert refused(b'{"name":"a"}', Thorough) == {"/name": ("not_found", "Is not known.")}


# Less common types


class Pair(Struct):
    left: int
    right: int


class Moment(TypedDict):
    at: datetime


class Row(Struct, array_like=True):
    number: int


Serial = NewType("Serial", Annotated[str, Meta(max_length=5), Check(str.upper)])


def no_twins(value: Pair) -> Pair:
    if value.left == value.right:
        raise FieldProblem(FieldCode.INVALID_CHOICE, "Must differ from left.", "/right")
    return value


class Rare(Closed):
    serial: Serial | None = None
    serials: Annotated[list[Serial], Meta(max_length=2)] | None = None
    ordered: tuple[Serial, ...] | UnsetType = UNSET
    frozen: frozenset[Serial] | UnsetType = UNSET
    by_name: dict[Serial, Serial] | None = None
    pair: Annotated[Pair, Check(no_twins)] | None = None
    mixed: Annotated[int, Meta(ge=0, le=9)] | Serial | list[Serial] | bool | None = None
    plain: dict[str, Any] | UnsetType = UNSET
    moment: Moment | None = None
    row: Row | None = None
    literal: Literal["a", 1] | float = 1.5


def rare(**members: Any) -> Rare:
    return decode_json(msgspec.json.encode(members), Rare)


def test_checks_reach_into_all_kinds_of_containers() -> None:
    decoded = rare(serial="a", serials=["b"], ordered=["c"], frozen=["d"], by_name={"e": "f"}, mixed=["g"])
    assert decoded.serial == "A"
    assert decoded.serials == ["B"]
    assert decoded.ordered == ("C",)
    assert decoded.frozen == frozenset({"D"})
    assert decoded.by_name == {"E": "F"}
    assert decoded.mixed == ["G"]
    assert rare(mixed="g").mixed == "G"
    assert [rare(mixed=each).mixed for each in (5, True, None)] == [5, True, None]
    assert rare().literal == 1.5


def test_a_check_of_a_whole_struct_points_into_it() -> None:
    assert rare(pair={"left": 1, "right": 2}).pair == Pair(1, 2)
    said = ("invalid_choice", "Must differ from left.")
    assert refused({"pair": {"left": 1, "right": 1}}, Rare) == {"/pair/right": said}
    assert refused({"pair": {"left": 1, "right": 1}, "serial": 5}, Rare) == {
        "/pair/right": said,
        "/serial": ("invalid_type", "Must be a string or null."),
    }


@pytest.mark.parametrize(
    ("members", "pointer", "code"),
    [
        ({"serials": ["a", "b", "c"]}, "/serials", "too_long"),
        ({"ordered": [1]}, "/ordered/0", "invalid_type"),
        ({"by_name": {"toolong": "x"}}, "/by_name/toolong", "too_long"),
        ({"mixed": 10}, "/mixed", "too_large"),
        ({"mixed": ["toolong"]}, "/mixed/0", "too_long"),
        ({"mixed": {}}, "/mixed", "invalid_type"),
        ({"plain": []}, "/plain", "invalid_type"),
        ({"moment": {"at": "x"}}, "/moment/at", "invalid_format"),
        ({"row": ["x"]}, "/row/0", "invalid_type"),
        ({"literal": "b"}, "/literal", "invalid_choice"),
    ],
)
def test_containers_that_are_not_taken_apart_still_have_their_errors(members: Any, pointer: str, code: str) -> None:
    found = refused(members, Rare)
    assert {place: each[0] for place, each in found.items()} == {pointer: code}

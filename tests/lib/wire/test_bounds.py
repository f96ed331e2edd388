"""What a type leaves unbounded is found, wherever it is."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta, Struct

from app.lib.wire.dto import ForeignInput, unbounded
from app.lib.wire.fields import Name, Timestamp
from app.lib.wire.money import Money

pytestmark = pytest.mark.asvs("2.2.1")

Number = Annotated[int, Meta(ge=0, le=9)]


class Kind(StrEnum):
    A = "a"


class Tight(Struct, forbid_unknown_fields=True):
    name: Name
    at: Timestamp
    id: UUID
    price: Money
    kind: Kind | None
    size: Literal["s", 1]
    tags: Annotated[list[Name], Meta(max_length=3)]
    labels: Annotated[dict[Name, Number], Meta(max_length=3)]
    child: "Tight | None"
    flag: bool = False


class Child(Struct):
    x: str


class Foreign(ForeignInput):
    x: str


class Wide(Struct, forbid_unknown_fields=True):
    child: Child


def test_a_type_with_limits_everywhere_passes() -> None:
    assert unbounded(Tight) == []


@pytest.mark.parametrize(
    ("type_", "faults"),
    [
        (str, ["body has no maximum length"]),
        (bytes, ["body has no maximum length"]),
        (Annotated[int, Meta(ge=0)], ["body is a number without a minimum and a maximum"]),
        (float | None, ["body is a number without a minimum and a maximum"]),
        (list[Name], ["body has no maximum length"]),
        (Annotated[list[str], Meta(max_length=1)], ["body[] has no maximum length"]),
        (Annotated[dict[str, int], Meta(max_length=1)], ["a key of body has no", "body[] is a number"]),
        (Any, ["body takes anything"]),
        (msgspec.Raw, ["body takes anything"]),
        (Decimal, ["body is a Decimal"]),
        (Wide, ["Child takes unknown members", "Child.x has no maximum length"]),
        (Foreign, ["Foreign.x has no maximum length"]),
    ],
)
def test_what_is_loose_is_named(type_: Any, faults: list[str]) -> None:
    found = unbounded(type_)
    assert len(found) == len(faults)
    assert all(each.startswith(fault) for each, fault in zip(found, faults, strict=True))

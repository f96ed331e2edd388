"""Structs with a bit of everything, and a way to see what is wrong with a body."""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from msgspec import UNSET, Meta, Struct, UnsetType

from app.lib.errors import FieldCode, ValidationFailed
from app.lib.wire.decoding import Check, FieldProblem, Hint, decode_json

Found = dict[str, tuple[str, str]]


class Closed(Struct, forbid_unknown_fields=True, kw_only=True):
    pass


class Kind(StrEnum):
    GIFT = "gift"
    SALE = "sale"


def shout(value: str) -> str:
    if value == "forbidden":
        raise FieldProblem(FieldCode.NOT_UNIQUE, "Is taken.")
    return value.upper()


Shouted = Annotated[str, Meta(max_length=20), Check(shout)]


class Item(Closed):
    quantity: Annotated[int, Meta(ge=1, le=100)]
    note: Annotated[str, Meta(max_length=5, pattern="^a"), Hint("Must start with a.")] | UnsetType = UNSET
    code: Shouted | None = None


class Card(Closed, tag="card"):
    number: Annotated[str, Meta(min_length=4, max_length=4)]


class Transfer(Closed, tag="transfer"):
    iban: Shouted


class Order(Closed):
    items: Annotated[list[Item], Meta(min_length=1, max_length=60)]
    kind: Kind = Kind.SALE
    size: Literal["s", "m"] = "s"
    placed_at: Annotated[datetime, Meta(tz=True)] | None = None
    labels: Annotated[dict[Annotated[str, Meta(max_length=3)], Shouted], Meta(max_length=2)] = {}
    payment: Card | Transfer | None = None
    parent: "Order | None" = None
    pair: tuple[int, str] = (1, "")
    seen: set[int] | UnsetType = UNSET
    either: int | str = 0

    def __post_init__(self) -> None:
        if self.kind is Kind.GIFT and self.payment is not None:
            raise FieldProblem(FieldCode.INVALID_CHOICE, "Gifts are not paid for.", "/payment")


def refused(raw: bytes | dict[str, Any], type_: Any = Order) -> Found:
    body = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    with pytest.raises(ValidationFailed) as caught:
        decode_json(body, type_)
    return {error.pointer or "": (error.code.value, error.detail) for error in caught.value.errors}


def order(**members: Any) -> dict[str, Any]:
    return {"items": [{"quantity": 1}], **members}

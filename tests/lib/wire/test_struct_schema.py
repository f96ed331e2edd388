"""OpenAPI schemas say what the decoder does."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import msgspec
import pytest
from litestar import Litestar, get
from msgspec import UNSET, Meta, Struct, UnsetType

from app.lib.security.fields import Email, Password
from app.lib.wire.decoding import decode_json
from app.lib.wire.fields import Bio, HttpsUrl, Locale, Name, SingleLine, Timestamp, Username
from app.lib.wire.money import Money
from app.lib.wire.struct_schema import StructSchemaPlugin

T = TypeVar("T")
Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]


class Colour(StrEnum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Point(Struct, forbid_unknown_fields=True, tag="point"):
    """A place.

    The second paragraph is not for clients.
    """

    x: Int32


class Line(Struct, forbid_unknown_fields=True, tag="line"):
    length: Annotated[float, Meta(gt=0, lt=10)]


class Everything(Struct, forbid_unknown_fields=True, kw_only=True):
    required: Name
    nullable: Name | None
    optional: Name | UnsetType = UNSET
    both: Name | None | UnsetType = UNSET
    defaulted: Annotated[int, Meta(ge=1, le=100)] = 20
    colour: Colour = Colour.RED
    maybe_colour: Colour | None = None
    level: Level | UnsetType = UNSET
    size: Literal["s", "m"] | None = None
    only: Literal["x"] = "x"
    shape: Point | Line
    point: Point | None = None
    described: Annotated[Point, Meta(description="Where it is.")]
    tags: Annotated[list[Annotated[SingleLine, Meta(examples=["sea"])]], Meta(min_length=1, max_length=5)]
    unique: Annotated[set[Int32], Meta(max_length=5)] = msgspec.field(default_factory=set[int])
    labels: Annotated[dict[str, Int32], Meta(max_length=5)] = msgspec.field(default_factory=dict[str, int])
    either: Annotated[int, Meta(ge=0, le=9)] | Annotated[str, Meta(max_length=9)] | None = None
    at: Timestamp
    day: date
    clock: time | UnsetType = UNSET
    span: timedelta | UnsetType = UNSET
    key: UUID
    share: Decimal
    price: Money
    blob: Annotated[bytes, Meta(max_length=8)] | UnsetType = UNSET
    flag: bool = False
    parent: "Everything | None" = None


class Box(Struct, Generic[T]):
    content: T


class People(Struct, forbid_unknown_fields=True):
    email: Email
    password: Password
    username: Username
    locale: Locale
    bio: Bio
    avatar: HttpsUrl


class Riddle(Struct):
    answer: Annotated[str, Meta(pattern="^42$", max_length=2)]


class Riddles(Struct):
    open: list[Riddle]
    low: Annotated[int, Meta(le=-5)]
    high: Annotated[float, Meta(gt=5)]
    solved_at: datetime | None


@pytest.fixture(scope="module")
def core() -> dict[str, Any]:
    @get("/everything")
    async def everything() -> Everything:
        raise NotImplementedError

    @get("/box")
    async def box() -> Box[Point]:
        raise NotImplementedError

    @get("/people")
    async def people() -> list[People]:
        raise NotImplementedError

    @get("/riddles")
    async def riddles() -> Riddles:
        raise NotImplementedError

    app = Litestar([everything, box, people, riddles], plugins=[StructSchemaPlugin()])
    schemas: dict[str, Any] = app.openapi_schema.to_schema()["components"]["schemas"]
    return schemas


def test_components_have_the_names_of_their_types(core: dict[str, Any]) -> None:
    assert set(core) == {
        "Colour",
        "Everything",
        "Level",
        "Line",
        "Money",
        "People",
        "Point",
        "PointBox",
        "Riddle",
        "Riddles",
    }
    assert core["PointBox"]["properties"]["content"] == {"$ref": "#/components/schemas/Point"}


def test_closed_objects_say_so(core: dict[str, Any]) -> None:
    assert core["Everything"]["additionalProperties"] is False
    assert "additionalProperties" not in core["PointBox"]


def test_required_members_are_those_without_a_default(core: dict[str, Any]) -> None:
    required = ["required", "nullable", "shape", "described", "tags", "at", "day", "key", "share", "price"]
    assert sorted(core["Everything"]["required"]) == sorted(required)
    assert core["Point"]["required"] == ["type", "x"]
    assert core["Point"]["properties"]["type"] == {"const": "point"}


def test_documentation_is_the_first_paragraph(core: dict[str, Any]) -> None:
    assert core["Point"]["description"] == "A place."
    assert core["Colour"]["description"] == "What it looks like."
    assert "description" not in core["Everything"]


POINT = {"$ref": "#/components/schemas/Point"}
COLOUR = {"$ref": "#/components/schemas/Colour"}


@pytest.mark.parametrize(
    ("member", "schema"),
    [
        ("defaulted", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
        ("colour", {"allOf": [COLOUR], "default": "red"}),
        ("maybe_colour", {"oneOf": [COLOUR, {"type": "null"}]}),
        ("level", {"$ref": "#/components/schemas/Level"}),
        ("size", {"oneOf": [{"type": "string", "enum": ["m", "s"]}, {"type": "null"}]}),
        ("only", {"const": "x", "default": "x"}),
        ("shape", {"oneOf": [POINT, {"$ref": "#/components/schemas/Line"}]}),
        ("point", {"oneOf": [POINT, {"type": "null"}]}),
        ("described", {"allOf": [POINT], "description": "Where it is."}),
        ("parent", {"oneOf": [{"$ref": "#/components/schemas/Everything"}, {"type": "null"}]}),
        (
            "either",
            {
                "oneOf": [
                    {"type": "integer", "minimum": 0, "maximum": 9},
                    {"type": "string", "maxLength": 9},
                    {"type": "null"},
                ]
            },
        ),
        ("day", {"type": "string", "format": "date", "maxLength": 10}),
        ("key", {"type": "string", "format": "uuid", "maxLength": 36}),
        ("blob", {"type": "string", "contentEncoding": "base64", "maxLength": 8}),
        ("flag", {"type": "boolean", "default": False}),
    ],
)
def test_members_say_what_they_take(core: dict[str, Any], member: str, schema: dict[str, Any]) -> None:
    assert core["Everything"]["properties"][member] == schema


def test_constraints_of_an_optional_member_stand_with_its_type(core: dict[str, Any]) -> None:
    members = core["Everything"]["properties"]
    name = members["required"]
    assert name["type"] == "string"
    assert name["maxLength"] == 100
    assert members["optional"] == name
    assert members["nullable"] == members["both"] == {**name, "type": ["string", "null"]}


def test_collections_have_their_bounds(core: dict[str, Any]) -> None:
    members = core["Everything"]["properties"]
    assert (members["tags"]["minItems"], members["tags"]["maxItems"]) == (1, 5)
    assert members["unique"]["uniqueItems"] is True
    assert members["labels"]["maxProperties"] == 5
    assert members["labels"]["additionalProperties"]["type"] == "integer"


def strings(node: Any) -> list[dict[str, Any]]:
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    found = [each for part in below for each in strings(part)]
    is_string = isinstance(node, dict) and node.get("type") in ("string", ["string", "null"])
    return [node, *found] if is_string else found


def test_every_string_has_a_bound(core: dict[str, Any]) -> None:
    found = strings(core)
    assert len(found) > 15
    assert [each for each in found if "maxLength" not in each and "enum" not in each] == []


@pytest.mark.parametrize("type_", [Everything, People, Money, Point])
def test_the_example_of_a_type_is_valid(core: dict[str, Any], type_: Any) -> None:
    [example] = core[type_.__name__]["examples"]
    assert decode_json(msgspec.json.encode(example), type_)


def test_a_type_without_enough_examples_has_none(core: dict[str, Any]) -> None:
    assert "examples" not in core["Riddle"]
    assert core["Riddles"]["examples"] == [
        {"open": [], "low": -5, "high": 6},
    ]

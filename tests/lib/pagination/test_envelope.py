"""The envelope on the wire and in the OpenAPI document."""

from typing import Any
from uuid import UUID

import msgspec
import pytest
from litestar import Litestar, get

from app.lib.pagination.envelope import Page, item_type
from app.lib.wire.struct_schema import StructSchemaPlugin
from tests.lib.pagination.toys import START, ToyPage, ToyRead

TOY = ToyRead(id=UUID(int=1), created_at=START, name="ball", stock=3, is_active=True)
PAGE = ToyPage(items=[TOY], total=None, total_capped=False, page=None, page_size=20, pages=None, next_cursor=None)


class Name(msgspec.Struct):
    name: str


class NamePage(Page[Name], frozen=True):
    pass


def schemas() -> dict[str, dict[str, Any]]:
    @get("/")
    async def list_toys() -> ToyPage:
        return PAGE

    document = Litestar([list_toys], plugins=[StructSchemaPlugin()]).openapi_schema.to_schema()
    found: dict[str, dict[str, Any]] = document["components"]["schemas"]
    return found


def test_every_member_is_always_there() -> None:
    encoded = msgspec.json.encode(PAGE)
    assert encoded == (
        b'{"items":[{"id":"00000000-0000-0000-0000-000000000001","created_at":"2026-01-01T00:00:00Z","name":"ball",'
        b'"stock":3,"is_active":true}],"total":null,"total_capped":false,"page":null,"page_size":20,"pages":null,'
        b'"next_cursor":null}'
    )
    assert msgspec.json.decode(encoded, type=ToyPage) == PAGE
    with pytest.raises(TypeError, match="next_cursor"):
        ToyPage(items=[], total=0, total_capped=False, page=1, page_size=20, pages=0)  # type: ignore[call-arg] # the point


def test_the_component_is_named_after_the_subclass_and_knows_its_items() -> None:
    assert "ToyPage" in schemas()
    properties = schemas()["ToyPage"]["properties"]
    assert isinstance(properties, dict)
    assert properties["items"] == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/ToyRead"},
        "maxItems": 100,
    }
    assert sorted(schemas()["ToyPage"]["required"]) == [
        "items",
        "next_cursor",
        "page",
        "page_size",
        "pages",
        "total",
        "total_capped",
    ]


def test_every_integer_is_bounded_and_every_string_has_a_length() -> None:
    properties = schemas()["ToyPage"]["properties"]
    assert isinstance(properties, dict)
    bounds = {name: (properties[name].get("minimum"), properties[name].get("maximum")) for name in properties}
    assert bounds["total"] == bounds["pages"] == (0, 10_000)
    assert bounds["page"] == (1, 10_000)
    assert bounds["page_size"] == (1, 100)
    assert properties["next_cursor"]["maxLength"] > 0


def test_a_page_can_become_a_page_of_something_else() -> None:
    names = PAGE.with_items(NamePage, [Name(toy.name) for toy in PAGE.items])
    assert isinstance(names, NamePage)
    assert names.items == [Name("ball")]
    assert (names.page_size, names.total, names.next_cursor) == (20, None, None)


def test_a_page_knows_what_it_holds() -> None:
    assert item_type(ToyPage) is item_type(Page[ToyRead]) is ToyRead
    with pytest.raises(TypeError, match="names no item type"):
        item_type(Page)

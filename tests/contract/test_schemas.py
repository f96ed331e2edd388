"""The schemas of the OpenAPI document: bounded, described, and named alike."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from tests.contract.routes import DOCUMENT

SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


def schemas(part: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema in the document, examples left out."""
    if isinstance(part, list):
        for number, each in enumerate(part):
            yield from schemas(each, f"{where}/{number}")
    if not isinstance(part, dict):
        return
    if "type" in part and isinstance(part["type"], str | list) and "in" not in part and "tokenUrl" not in part:
        yield where, part
    for name, each in part.items():
        if name not in {"examples", "example", "securitySchemes", "default", "enum"}:
            yield from schemas(each, f"{where}/{name}")


def of_type(kind: str) -> list[tuple[str, dict[str, Any]]]:
    found = [
        (where, schema)
        for where, schema in schemas(DOCUMENT)
        if kind in ([schema["type"]] if isinstance(schema["type"], str) else schema["type"])
    ]
    assert found
    return found


def test_references_end_in_id() -> None:
    members = [
        re.search(r"/properties/([^/]+)(?:/(?:items|oneOf|anyOf)(?:/\d+)?)*$", where)
        for where, schema in of_type("string")
        if schema.get("format") == "uuid"
    ]

    others = {each[1] for each in members if each and not re.search(r"(?:^|_)ids?$", each[1])}
    assert not others, f"UUIDs are called id or …_id (docs/api.md): rename the members {others}"


def test_people_have_one_shape() -> None:
    shown = {
        name: schema["properties"].keys()
        for name, schema in SCHEMAS.items()
        if "avatar_url" in schema.get("properties", ())
    }

    assert shown.pop("PersonRead") == {"id", "username", "name", "avatar_url"}
    assert shown.keys() == {"ProfileRead", "ProfileUpdate", "PublicProfile", "WholeProfile"}


def test_every_string_is_bounded() -> None:
    for where, schema in of_type("string"):
        bounded = schema.keys() & {"maxLength", "pattern", "enum", "const"}
        assert bounded, f"{where}: give it Meta(max_length=…) or a type of app.lib.wire.fields: {schema}"


def test_every_integer_has_bounds() -> None:
    for where, schema in of_type("integer"):
        assert {"minimum", "maximum"} <= schema.keys(), f"{where}: give it Meta(ge=…, le=…): {schema}"
        assert isinstance(schema["minimum"], int)
        assert isinstance(schema["maximum"], int)
        assert schema["format"] == ("int32" if schema["minimum"] > -(2**31) and schema["maximum"] < 2**31 else "int64")


def test_every_list_has_a_maximum() -> None:
    for where, schema in of_type("array"):
        assert "maxItems" in schema, f"{where}: give it Meta(max_length=…): {schema}"


def test_components_are_described_and_leak_no_modules() -> None:
    for name, schema in SCHEMAS.items():
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name), f"{name}: call the Struct by letters alone"
        assert schema.get("description"), f"{name}: give the Struct a docstring, which the document shows"
        variable = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        assert variable not in schema.get("properties", {}), f"generated code mixes {variable} up with {name}"
    text = msgspec.json.encode(DOCUMENT).decode()
    assert not re.search(r"\bapp[._](domain|lib)\b|\btests[._]", text)
    assert "``" not in text.replace("```", "")  # fences of the manual aside

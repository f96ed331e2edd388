"""Examples of bodies: one for each schema, which all operations refer to that have it."""

from collections.abc import Iterator, Mapping
from typing import Any

from app.lib.openapi.components import JSONObject

_SHOWS = "shows_example_{}"
_PAGE = '<!doctype html>\n<html lang="en">…</html>'


def shows(status: int, text: str | None = None, /, **members: Any) -> JSONObject:
    """For a handler's ``opt``: what the example of a success has that its schema does not say. That is the ``text`` of
    an answer that is no JSON, or other values of members, such as the state that an action leads to.
    """
    return {_SHOWS.format(status): members if text is None else text}


def take_examples(schemas: JSONObject) -> JSONObject:
    """Moves the examples of objects out of their schemas, to be components of their own."""
    found = {name: each for name, each in schemas.items() if each.get("type") == "object" and "examples" in each}
    return {name: {"value": _with_nulls(each.pop("examples")[0], each, schemas)} for name, each in found.items()}


def _with_nulls(value: Any, schema: JSONObject, schemas: JSONObject) -> Any:
    """An example with the members that are null, which Litestar leaves out of documents."""
    schema = schemas.get(_component(schema), schema)
    if isinstance(value, list):
        return [_with_nulls(each, schema["items"], schemas) for each in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    members: JSONObject = schema["properties"]
    present = {name: _with_nulls(each, members.get(name, {}), schemas) for name, each in value.items()}
    return dict.fromkeys(schema.get("required", ())) | present


def illustrate(operation: JSONObject, examples: JSONObject, opt: Mapping[str, Any]) -> None:
    """Gives the bodies of an operation their examples. ``opt`` is its handler's, with what :func:`shows` says."""
    for status, kind, media_type in _media_types(operation):
        own = opt.get(_SHOWS.format(status), _PAGE if kind == "text/html" else None)
        name = _component(media_type.get("schema", {}))
        if isinstance(own, str):
            media_type["example"] = own
        elif name in examples:
            value = examples[name]["value"]
            shown_value = (_as_new(value) if status == "201" else value) | (own or {})
            if shown_value == value:
                media_type["examples"] = {"example": {"$ref": f"#/components/examples/{name}"}}
            else:
                media_type["example"] = shown_value
        elif own:
            media_type["example"] = own


def _as_new(value: Any) -> Any:
    """An example as it is when it has just been created."""
    if isinstance(value, list):
        return [_as_new(each) for each in value]
    if not isinstance(value, dict):
        return value
    first = {"version": 1, "updated_at": value.get("created_at")}
    return {name: first.get(name, _as_new(each)) for name, each in value.items()}


def example_of(media_type: JSONObject, examples: JSONObject) -> Any:
    """The example of a body that :func:`illustrate` has been at; None where it has none."""
    if "example" in media_type:
        return media_type["example"]
    return examples.get(_component(media_type.get("schema", {})), {}).get("value")


def _media_types(operation: JSONObject) -> Iterator[tuple[str, str, JSONObject]]:
    for status, body in [("", operation.get("requestBody", {})), *operation["responses"].items()]:
        for kind, media_type in body.get("content", {}).items():
            yield status, kind, media_type


def _component(schema: JSONObject) -> str:
    """The name of the component that a schema refers to, the first one of a choice; empty for none."""
    for option in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        if "$ref" in option:
            return str(option["$ref"]).rpartition("/")[2]
    return ""

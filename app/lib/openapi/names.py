"""Names for what would be anonymous, because generators of clients make up their own: ``GetOrder200ResponseType1``."""

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from app.lib.openapi.components import JSONObject

_WORD = re.compile(r"[A-Z][a-z0-9]*")


def name_choices(document: JSONObject) -> None:
    """Makes components of choices, in place.

    An enum with a title becomes one of that name; enums of the same values elsewhere, such as in a filter, refer to it.
    A choice of answers, such as ``OrderRead`` or ``OrderWithCustomer``, becomes ``AnyOrder``.
    """
    schemas: JSONObject = document["components"]["schemas"]
    named = {frozenset(each["enum"]): name for name, each in schemas.items() if "enum" in each}
    inner = [document["paths"], *[each.get("properties") for each in schemas.values()]]
    enums = [each for each in _dicts(inner) if "enum" in each]
    named |= {frozenset(each["enum"]): each["title"] for each in enums if "title" in each}
    for each in enums:
        if (name := each.pop("title", None) or named.get(frozenset(each["enum"]))) is not None:
            each.pop("examples", None)  # they are for examples of what the member is in
            _refer(
                each,
                name,
                {keyword: each.pop(keyword) for keyword in ("enum", "type", "description") if keyword in each},
                schemas,
            )
    for each in _dicts(document["paths"]):
        if "anyOf" in each:
            # Those with more members come first: generated code takes the first that fits.
            options: list[JSONObject] = sorted(each.pop("anyOf"), key=lambda option: -_members(option, schemas))
            names = [_component(option) for option in options]
            text = f"{', or '.join(f'`{name}`' for name in names)}, as the request asks."
            _refer(each, _common_name(names), {"anyOf": options, "description": text}, schemas)
    document["components"]["schemas"] = dict(sorted(schemas.items()))


def _dicts(node: Any) -> Iterator[JSONObject]:
    """All objects in a part of a document, inner ones first."""
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _dicts(each)
    if isinstance(node, dict):
        yield node


def _refer(schema: JSONObject, name: str, component: JSONObject, schemas: JSONObject) -> None:
    """Lets a schema refer to a component of that name. What else it says stays there."""
    schemas[name] = component | schemas.get(name, {})
    reference = {"$ref": f"#/components/schemas/{name}"}
    schema.update({"allOf": [reference]} if schema else reference)


def _members(reference: JSONObject, schemas: JSONObject) -> int:
    """How many members an object has, and the items of a page have."""
    schema: JSONObject = schemas[_component(reference)]
    items = schema["properties"].get("items", {}).get("items")
    return len(schema["required"]) + (_members(items, schemas) if items else 0)


def _component(reference: JSONObject) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _common_name(names: list[str]) -> str:
    """What names begin and end with: ``OrderPage`` and ``OrderWithCustomerPage`` have ``AnyOrderPage`` in common."""
    words = [_WORD.findall(name) for name in names]
    begin = [each for each, *_ in takewhile(lambda those: len(set(those)) == 1, zip(*words, strict=False))]
    end = [each for each, *_ in takewhile(lambda those: len(set(those)) == 1, zip(*map(reversed, words), strict=False))]
    return "".join(["Any", *begin, *reversed(end)])
